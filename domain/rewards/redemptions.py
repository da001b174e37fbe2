"""Redemptions as they are read: a member's, and the queue of those that staff sends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain import audit
from domain.audit import Actor
from domain.members import heirs
from domain.paging import Page, PageRequest, page_of
from domain.rewards.addresses import Place
from domain.rewards.offers import Reward, rewards_by_ids
from domain.rewards.rules import RedemptionStatus, RewardKind
from domain.storage import Row, fetch_all, fetch_one, transaction


class ShipmentStatus(StrEnum):
    """Where a gift is."""

    AWAITING_ADDRESS = "AWAITING_ADDRESS"
    """Nobody has said where to send it."""
    PREPARING = "PREPARING"
    """It is to be sent."""
    SHIPPED = "SHIPPED"
    """It is on its way."""
    DELIVERED = "DELIVERED"
    """It has arrived."""
    CANCELLED = "CANCELLED"
    """It will not be sent."""


_SHIPMENT_OF: Final = {
    RedemptionStatus.AWAITING_ADDRESS: ShipmentStatus.AWAITING_ADDRESS,
    RedemptionStatus.PLACED: ShipmentStatus.PREPARING,
    RedemptionStatus.SHIPPED: ShipmentStatus.SHIPPED,
    RedemptionStatus.DELIVERED: ShipmentStatus.DELIVERED,
    RedemptionStatus.CANCELLED: ShipmentStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """The parcel of a gift; `number` is the carrier's own, for tracking."""

    status: ShipmentStatus
    place: Place | None
    carrier: str | None
    number: str | None
    shipped_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """An exchange of points for a reward.

    `entry_seq` is the entry that spent the points, `given_back_seq` the one that gave them back;
    both are in the journal of `paid_by`, who is the member unless two records were joined since.
    `from_stock` where the reward had a stock then, from which it was taken.
    """

    member_id: UUID
    id: UUID
    reward: Reward
    quantity: int
    status: RedemptionStatus
    points_spent: int
    paid_by: UUID
    entry_seq: int
    given_back_seq: int | None
    from_stock: bool
    redeemed_at: datetime
    shipment: Shipment | None

    @property
    def key(self) -> str:
        """What names the redemption in the whole programme."""
        return f"{self.member_id}:{self.id}"


REDEMPTION_COLUMNS: Final = (
    "member_id, id, reward_id, quantity, status, points_spent, paid_by, entry_seq, given_back_seq,"
    " from_stock, redeemed_at, recipient, phone, region, street, postcode, carrier,"
    " tracking_number, shipped_at, delivered_at"
)

_LOCKING: Final = " FOR NO KEY UPDATE"
_END: Final = (datetime.fromisoformat("9999-12-30T00:00:00+00:00"), UUID(int=2**128 - 1))
_BEGINNING: Final = (datetime.fromisoformat("0001-01-02T00:00:00+00:00"), UUID(int=0))


async def redemptions(member_id: UUID, page: PageRequest) -> Page[Redemption]:
    """A page of the member's redemptions, newest first, by the key (redeemed_at, id).

    Two statements.
    """
    before, before_id = page.after or _END
    rows = await fetch_all(
        f"SELECT {REDEMPTION_COLUMNS} FROM redemption"
        " WHERE member_id = $1 AND (redeemed_at < $2 OR redeemed_at = $2 AND id < $3)"
        " ORDER BY redeemed_at DESC, id DESC LIMIT $4",
        *(member_id, before, before_id, page.limit),
    )
    found = await _redemptions_of(rows)
    return page_of(found, first=page.first, key=lambda one: (one.redeemed_at, one.id))


async def redemption(member_id: UUID, *, redemption_id: UUID) -> Redemption | None:
    """One redemption of the member, or None."""
    return await _redemption_of(await _row(member_id, redemption_id))


async def standing_redemption(member_id: UUID, *, redemption_id: UUID) -> Redemption | None:
    """The same; where the member's record was joined to another one, it is that one's."""
    row = await _row(member_id, redemption_id) or await _row_of_heir(member_id, redemption_id)
    return await _redemption_of(row)


async def locked_redemption(member_id: UUID, *, redemption_id: UUID) -> Redemption | None:
    """The same, locked until the caller's transaction ends.

    Whoever waited here for a merge finds the redemption where the merge has put it.
    """
    row = await _row(member_id, redemption_id, _LOCKING)
    if row is None:
        row = await _row_of_heir(member_id, redemption_id, _LOCKING)
    return await _redemption_of(row)


async def redemptions_by_ids(
    member_ids: Collection[UUID], *, redemption_ids: Collection[UUID]
) -> Sequence[Redemption]:
    """Those of the members' redemptions that have these ids, in no order. Two statements."""
    if not redemption_ids:
        return []
    rows = await fetch_all(
        f"SELECT {REDEMPTION_COLUMNS} FROM redemption"
        " WHERE member_id = ANY($1::uuid[]) AND id = ANY($2::uuid[])",
        *(sorted(member_ids), sorted(redemption_ids)),
    )
    return await _redemptions_of(rows)


async def redemption_queue(
    page: PageRequest, *, status: RedemptionStatus, by: Actor, now: datetime
) -> Page[Redemption]:
    """A page of those that stand so, the oldest first, by the key (redeemed_at, id).

    The look is in the audit log, in the same transaction.
    """

    async def work() -> Page[Redemption]:
        after, after_id = page.after or _BEGINNING
        rows = await fetch_all(
            f"SELECT {REDEMPTION_COLUMNS} FROM redemption"
            " WHERE status = $1 AND (redeemed_at > $2 OR redeemed_at = $2 AND id > $3)"
            " ORDER BY redeemed_at, id LIMIT $4",
            *(status.value, after, after_id, page.limit),
        )
        found = await _redemptions_of(rows)
        shown = [str(one.id) for one in found[: page.first]]
        facts = {"status": status.value, "redemptions": shown}
        audit.record(by, "redemptions.read", after=facts, now=now)
        return page_of(found, first=page.first, key=lambda one: (one.redeemed_at, one.id))

    return await transaction(work)


async def _row(member_id: UUID, redemption_id: UUID, locking: str = "") -> Row | None:
    return await fetch_one(
        f"SELECT {REDEMPTION_COLUMNS} FROM redemption WHERE member_id = $1 AND id = $2{locking}",
        *(member_id, redemption_id),
    )


async def _row_of_heir(member_id: UUID, redemption_id: UUID, locking: str = "") -> Row | None:
    heir_id = (await heirs([member_id])).get(member_id, member_id)
    return None if heir_id == member_id else await _row(heir_id, redemption_id, locking)


async def _redemption_of(row: Row | None) -> Redemption | None:
    return None if row is None else (await _redemptions_of([row]))[0]


async def _redemptions_of(rows: Sequence[Row]) -> list[Redemption]:
    rewards = await rewards_by_ids([row["reward_id"] for row in rows])
    return [_redemption(row, rewards[row["reward_id"]]) for row in rows]


def _redemption(row: Row, reward: Reward) -> Redemption:
    status = RedemptionStatus(row["status"])
    return Redemption(
        member_id=row["member_id"],
        id=row["id"],
        reward=reward,
        quantity=row["quantity"],
        status=status,
        points_spent=row["points_spent"],
        paid_by=row["paid_by"],
        entry_seq=row["entry_seq"],
        given_back_seq=row["given_back_seq"],
        from_stock=row["from_stock"],
        redeemed_at=row["redeemed_at"],
        shipment=_shipment(row, status) if reward.kind is RewardKind.GIFT else None,
    )


def _shipment(row: Row, status: RedemptionStatus) -> Shipment:
    place = None
    if row["recipient"] is not None:
        place = Place(
            recipient=row["recipient"],
            phone=row["phone"],
            region=row["region"],
            street=row["street"],
            postcode=row["postcode"],
        )
    return Shipment(
        status=_SHIPMENT_OF[status],
        place=place,
        carrier=row["carrier"],
        number=row["tracking_number"],
        shipped_at=row["shipped_at"],
        delivered_at=row["delivered_at"],
    )
