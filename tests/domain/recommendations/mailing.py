"""Members who agreed to be written to, themes that they care for, and new products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import orjson

from domain import catalogue, members, recommendations
from domain.catalogue import CatalogueItem, DeclareInterests, Theme
from domain.members import ByExternalReference, SetConsent
from domain.recommendations import MARKETING, PERSONALIZATION
from domain.storage import fetch_all, transaction
from tests.domain.purchases.shop import NOW
from tests.graphql.programme import consent_text

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
TEA = Theme(code="TEA", name_zh="茶", name_en="Tea")
BOOKS = Theme(code="BOOKS", name_zh="书", name_en="Books")
NEW_TEA = CatalogueItem(code="biluochun", title="碧螺春", theme=TEA, introduced_at=NOW - DAY)
OLD_TEA = CatalogueItem(code="tieguanyin", title="铁观音", theme=TEA)
NEW_BOOK = CatalogueItem(code="chajing", title="茶经", theme=BOOKS, introduced_at=NOW - 2 * DAY)
BOTH = (MARKETING, PERSONALIZATION)


async def open_house(*items: CatalogueItem) -> None:
    """Publish the words of the consents, and make the products."""
    await members.publish_consent_texts([consent_text(one) for one in BOTH], now=NOW)
    await catalogue.upsert_products([OLD_TEA, replace(NEW_BOOK, introduced_at=None)], now=NOW)
    await catalogue.upsert_products(items or [NEW_TEA], now=NOW)


async def reader(reference: str, *themes: str, agreeing: Sequence[str] = BOTH) -> UUID:
    """A member who declares these themes and agrees to these purposes."""
    joined = await members.register_external_members([ByExternalReference(reference)], now=NOW)
    member_id = joined[reference]
    await catalogue.declare_interests(DeclareInterests(member_id=member_id, themes=themes), now=NOW)
    for purpose in agreeing:
        await agree(member_id, purpose)
    return member_id


async def agree(
    member_id: UUID, purpose: str, *, granted: bool = True, now: datetime = NOW
) -> None:
    command = SetConsent(member_id=member_id, purpose=purpose, granted=granted, version="1")
    await recommendations.set_consent(command, now=now)


async def infer(member_id: UUID, **permille: int) -> None:
    """Let these be the themes that are inferred of a member."""
    work = partial(members.replace_inferred_interests, {member_id: permille}, now=NOW)
    await transaction(work)


async def send(now: datetime = NOW, *, pause: timedelta = WEEK) -> int:
    """One walk over everybody."""
    return await recommendations.send_letters(pause=pause, now=now, within_s=60.0)


async def letters() -> list[tuple[UUID, str, datetime]]:
    """Who was written to about what, and when, as it is kept; by the time."""
    rows = await fetch_all("SELECT member_id, product_code, sent_at FROM product_letter")
    found = [(row["member_id"], row["product_code"], row["sent_at"]) for row in rows]
    return sorted(found, key=lambda one: (one[2], one[0]))


async def told(member_id: UUID) -> list[dict[str, str]]:
    """The facts of each notification about a new product, in the order in which they came."""
    rows = await fetch_all(
        "SELECT facts FROM notification WHERE member_id = $1 AND kind = 'PRODUCT_INTRODUCED'"
        " ORDER BY created_at, id",
        member_id,
    )
    return [orjson.loads(row["facts"]) for row in rows]
