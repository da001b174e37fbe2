"""What members do not want to be shown again: said of a product, taken back at any time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import members
from domain.catalogue import products_by_id
from domain.errors import InvalidInput, PersonalizationOff
from domain.outbox import Event, announce
from domain.recommendations.consenting import PERSONALIZATION
from domain.storage import Table, execute, fetch_one, transaction

NOT_INTERESTED_MAX: Final = 1_000
"""Of so many products a member may say it."""

_NOT_INTERESTED: Final = Table(
    "not_interested", member_id="uuid", id="uuid", product_code="text", at="timestamptz"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNotInterested:
    """The member does not want to be shown this product; or does again."""

    member_id: UUID
    product_id: UUID
    not_interested: bool


async def set_not_interested(command: SetNotInterested, *, now: datetime) -> bool:
    """What holds afterwards. Saying what is so already writes nothing.

    Refused, nothing changed: InvalidInput for an unknown product and for more than 1,000 of them;
    PersonalizationOff where the member does not agree to `personalization`: nothing is kept of what
    nobody may heed. Taking it back is never refused so. MemberNotFound.
    """
    products = await products_by_id([command.product_id])
    if command.product_id not in products:
        raise InvalidInput(field=("product_id",), rule="there is no such product")
    code = products[command.product_id].code

    async def work() -> bool:
        # Withdrawing takes this lock too: nothing is kept beside a withdrawal.
        standing = await members.lock_member(command.member_id)
        if command.not_interested:
            changed = await _keep(standing, code, now=now)
        else:
            changed = await _forget(standing, code)
        if changed:
            facts = {"product": str(command.product_id), "not_interested": command.not_interested}
            told = Event(kind="NotInterestedSet", member_id=standing, facts=facts)
            await announce([told], now=now)
        return command.not_interested

    return await transaction(work)


async def _keep(member_id: UUID, code: str, *, now: datetime) -> bool:
    if not await members.has_consented(member_id, PERSONALIZATION):
        raise PersonalizationOff
    row = await fetch_one(
        "SELECT COUNT(DISTINCT product_code) AS products,"
        " COUNT(CASE WHEN product_code = $2 THEN 1 END) AS said"
        " FROM not_interested WHERE member_id = $1",
        *(member_id, code),
    )
    assert row is not None, "a count without a group has one row"
    if row["said"]:
        return False
    if row["products"] >= NOT_INTERESTED_MAX:
        raise InvalidInput(field=("product_id",), rule=f"of at most {NOT_INTERESTED_MAX} products")
    await _NOT_INTERESTED.insert(
        [{"member_id": member_id, "id": uuid7(), "product_code": code, "at": now}]
    )
    return True


async def _forget(member_id: UUID, code: str) -> bool:
    """Two records that became one may both have said it."""
    gone = await execute(
        "DELETE FROM not_interested WHERE member_id = $1 AND product_code = $2",
        *(member_id, code),
    )
    return gone > 0
