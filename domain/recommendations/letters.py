"""Letters about new products: to who cares for their theme, once each, and not too often.

Written to is who agrees to `marketing` and to `personalization`, about a product that came lately
and that the member may see, does not have and did not wave away, of a theme that they declared or
that is inferred of them. The walk goes over members in short transactions, so it may be stopped
anywhere and begun again: what was written stands, and is not written a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import orjson

from domain import members
from domain.catalogue import Product, Theme
from domain.notifications import Language, Notification, Worded, Wording, notify, words
from domain.recommendations.consenting import MARKETING, PERSONALIZATION
from domain.recommendations.offering import INTRODUCED_LATELY, NEW_PRODUCTS_MAX, NOBODY
from domain.recommendations.scoring import ListKind, ReasonKind, Taste, listed_of
from domain.recommendations.serving import Recommendations, product_of
from domain.recommendations.signals import tastes
from domain.recommendations.surfaces import Surface
from domain.storage import Table, fetch_all, transaction

KIND: Final = "PRODUCT_INTRODUCED"

_BATCH: Final = 200
_LETTERS: Final = Table(
    "product_letter", member_id="uuid", product_code="text", sent_at="timestamptz"
)
_NEW: Final = """
    SELECT c.id, c.code, c.title, c.image_url, c.price_fen, c.theme_code, c.theme_name_zh,
           c.theme_name_en, c.introduced_at,
           CASE WHEN c.level_code IS NULL THEN 0 ELSE COALESCE(
               (SELECT l.rank FROM level_rank AS l WHERE l.level_code = c.level_code), $3
           ) END AS rank
    FROM product_card AS c
    WHERE c.active AND c.theme_code IS NOT NULL AND c.introduced_at > $1 AND c.introduced_at <= $2
    ORDER BY c.introduced_at DESC, c.code LIMIT $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProduct:
    """A product that came lately, of a theme; shown to members of this rank or above."""

    product: Product
    theme: Theme
    rank: int
    introduced_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """What a letter to a member goes by.

    `inferred` has weights in permille by theme, `places` where products stand in the member's list
    for letters, `barred` what was written of or waved away.
    """

    taste: Taste
    inferred: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    barred: Collection[str] = frozenset()


def product_for(addressee: Addressee, new: Sequence[NewProduct]) -> NewProduct | None:
    """Which of the new products to write of; None where none is for this member. Pure.

    What stands in the member's list goes first, in its order; then declared themes, then inferred
    ones by weight, and of a theme what is newest.
    """
    taste = addressee.taste
    has = taste.history()
    fitting = [
        one
        for one in new
        if (one.theme.code in taste.declared or one.theme.code in addressee.inferred)
        and one.rank <= taste.level_rank
        and one.product.code not in has
        and one.product.code not in addressee.barred
    ]

    def order(one: NewProduct) -> tuple[Any, ...]:
        code, theme = one.product.code, one.theme.code
        place = addressee.places.get(code)
        return (
            place is None,
            place or 0,
            theme not in taste.declared,
            -addressee.inferred.get(theme, 0),
            -one.introduced_at.timestamp(),
            code,
        )

    return min(fitting, key=order, default=None)


async def send_letters(*, pause: timedelta, now: datetime, within_s: float) -> int:
    """Write to every member whom a new product is for; returns how many letters that were.

    A member gets one letter within `pause` at most. Must not be called inside a transaction.
    """
    began, sent = perf_counter(), 0
    new = await _new_products(now=now)
    themes = {one.theme.code for one in new}
    after: UUID | None = None
    while perf_counter() - began < within_s:
        batch = await members.interested_members(themes, after=after, limit=_BATCH)
        if not batch:
            break
        after = batch[-1]
        if waiting := await _not_written_to(batch, since=now - pause):
            sent += await transaction(partial(_write, waiting, new, pause=pause, now=now))
    return sent


async def letter(shown: Recommendations, *, language: Language) -> Worded | None:
    """The words of a letter about what the surface LETTERS shows, by the template of the letters.

    It is of the first product that is shown for its theme; None where there is none, so where
    nothing about the member was considered. One statement, none without a letter.
    """
    if shown.surface is not Surface.LETTERS:
        return None
    for item in shown.items:
        theme = item.product.theme
        for reason in item.reasons:
            if theme is not None and reason.kind is ReasonKind.INTEREST and reason.theme == theme:
                return await words(
                    KIND, _facts(item.product, theme), language=language, wording=Wording.plain()
                )
    return None


async def _new_products(*, now: datetime) -> Sequence[NewProduct]:
    rows = await fetch_all(_NEW, now - INTRODUCED_LATELY, now, NOBODY, NEW_PRODUCTS_MAX)
    new = []
    for row in rows:
        product = product_of(row)
        assert product.theme is not None, "those without a theme are left out"
        new.append(
            NewProduct(
                product=product,
                theme=product.theme,
                rank=row["rank"],
                introduced_at=row["introduced_at"],
            )
        )
    return new


async def _not_written_to(member_ids: Collection[UUID], *, since: datetime) -> list[UUID]:
    """Those of these members who had no letter after the moment."""
    rows = await fetch_all(
        "SELECT DISTINCT member_id FROM product_letter"
        " WHERE member_id = ANY($1::uuid[]) AND sent_at > $2",
        *(sorted(member_ids), since),
    )
    return sorted(set(member_ids) - {row["member_id"] for row in rows})


async def _write(
    member_ids: Sequence[UUID], new: Sequence[NewProduct], *, pause: timedelta, now: datetime
) -> int:
    # Of two workers with the same members one waits, and then finds them written to.
    leads = await members.lock_members(member_ids)
    own = {one for one, lead in leads.items() if one == lead}
    willing = await members.consenting(own, MARKETING)
    willing = await members.consenting(willing, PERSONALIZATION)
    waiting = await _not_written_to(willing, since=now - pause) if willing else []
    letters = {
        member_id: chosen
        for member_id, addressee in (await _addressees(waiting, now=now)).items()
        if (chosen := product_for(addressee, new)) is not None
    }
    await _LETTERS.insert(
        {"member_id": member_id, "product_code": one.product.code, "sent_at": now}
        for member_id, one in letters.items()
    )
    await notify(
        [
            Notification(member_id=member_id, kind=KIND, facts=_facts(one.product, one.theme))
            for member_id, one in letters.items()
        ],
        now=now,
    )
    return len(letters)


async def _addressees(member_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Addressee]:
    """What a letter to each of these goes by. A fixed number of statements."""
    if not member_ids:
        return {}
    inferred = await members.inferred_interests(member_ids)
    barred: dict[UUID, set[str]] = defaultdict(set)
    rows = await fetch_all(
        "SELECT member_id, product_code FROM product_letter WHERE member_id = ANY($1::uuid[])"
        " UNION SELECT member_id, product_code FROM not_interested"
        " WHERE member_id = ANY($1::uuid[])",
        list(member_ids),
    )
    for row in rows:
        barred[row["member_id"]].add(row["product_code"])
    places = await _places(member_ids)
    return {
        member_id: Addressee(
            taste=taste,
            inferred=inferred[member_id],
            places=places.get(member_id, {}),
            barred=frozenset(barred[member_id]),
        )
        for member_id, taste in zip(member_ids, await tastes(member_ids, as_of=now), strict=True)
    }


async def _places(member_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Where products stand in the lists for letters that the serving model made."""
    rows = await fetch_all(
        "SELECT l.member_id, l.items FROM recommendation_list AS l"
        " JOIN recommendation_model AS m ON m.version = l.version AND m.status = 'ACTIVE'"
        " WHERE l.member_id = ANY($1::uuid[]) AND l.list = $2",
        *(list(member_ids), ListKind.LETTERS.value),
    )
    return {
        row["member_id"]: {
            listed.product_code: place
            for place, listed in enumerate(listed_of(orjson.loads(row["items"])))
        }
        for row in rows
    }


def _facts(product: Product, theme: Theme) -> dict[str, Any]:
    return {
        "product": str(product.id),
        "title": product.title,
        "theme_zh": theme.name_zh,
        "theme_en": theme.name_en,
    }
