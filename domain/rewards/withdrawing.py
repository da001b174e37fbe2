"""Redemptions that may be taken back for what they were paid with: those of unused coupons.

Whoever takes an earning back decides which of them end; here they are found, and ended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.ledger import Place, Source
from domain.rewards import rules
from domain.rewards.cancelling import SOURCE_KIND, write_cancelled
from domain.rewards.checkout import state_of
from domain.rewards.redemptions import Redemption, redemptions_by_ids
from domain.rewards.rules import CouponStatus, RedemptionStatus
from domain.storage import execute, fetch_all

_COUPONS = """
    SELECT member_id, id, redemption_id, status, expires_at, coupon_off, coupon_value,
           amount_min_fen, discount_max_fen, owner, order_reference, amount_fen, discount_fen,
           reserved_until
    FROM coupon
    WHERE member_id = ANY($1::uuid[]) AND redemption_id IN (
        SELECT redemption_id FROM coupon
        WHERE member_id = ANY($1::uuid[]) AND redemption_id IS NOT NULL
          AND status IN ('ACTIVE', 'RESERVED')
    )
    ORDER BY member_id, id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """A redemption none of whose coupons was used, reserved or lost, and their ids."""

    redemption: Redemption
    coupon_ids: Sequence[UUID]

    @property
    def spending(self) -> Place:
        """The entry that paid for it."""
        return self.redemption.paid_by, self.redemption.entry_seq

    @property
    def source(self) -> Source:
        """What the entry that gives the points back comes from."""
        return Source(kind=SOURCE_KIND, reference=str(self.redemption.id))


async def unused_redemptions(
    member_ids: Collection[UUID], *, lock: bool = False, now: datetime
) -> Sequence[Unused]:
    """The members' redemptions whose coupons are all whole as of `now`, the newest first.

    Three statements. With `lock` the coupons are locked until the caller's transaction ends;
    whoever locks them has locked the members' accounts.
    """
    members = sorted(set(member_ids))
    rows = await fetch_all(_COUPONS + ("FOR NO KEY UPDATE" if lock else ""), members)
    coupons: dict[UUID, list[UUID]] = {}
    broken: set[UUID] = set()
    for row in rows:
        coupons.setdefault(row["redemption_id"], []).append(row["id"])
        if rules.as_of(state_of(row), now=now).status is not CouponStatus.ACTIVE:
            broken.add(row["redemption_id"])
    found = await redemptions_by_ids(members, redemption_ids=coupons.keys() - broken)
    return [
        Unused(redemption=one, coupon_ids=coupons[one.id])
        for one in sorted(found, key=lambda one: (one.redeemed_at, one.id), reverse=True)
        if one.status is RedemptionStatus.FULFILLED
    ]


async def withdraw(ended: Sequence[tuple[Unused, Place]], *, now: datetime) -> None:
    """End these redemptions, each with the entry by which its points came back.

    Inside the transaction of those entries, with the coupons locked. The stock is left to the
    caller, who calls `put_back` last.
    """
    for one, (_, given_back_seq) in ended:
        await execute(
            "UPDATE coupon SET status = $3, owner = NULL, order_reference = NULL,"
            " amount_fen = NULL, discount_fen = NULL, reserved_until = NULL"
            " WHERE member_id = $1 AND id = ANY($2::uuid[])",
            *(one.redemption.member_id, list(one.coupon_ids), CouponStatus.REVOKED.value),
        )
        await write_cancelled(one.redemption, given_back_seq=given_back_seq, now=now)
