"""Cancelling a redemption of which nothing was used and nothing sent: all of it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import idempotency
from domain.errors import RedemptionUnknown
from domain.ledger import AfterDays, GiveBack, Source, expires_at, lock_accounts, post_one
from domain.members import recall_own, remember_own
from domain.outbox import Event, announce
from domain.program import program
from domain.rewards import rules
from domain.rewards.checkout import RewardRules, state_of
from domain.rewards.redeeming import put_back
from domain.rewards.redemptions import Redemption, locked_redemption, standing_redemption
from domain.rewards.rules import CouponStatus, RedemptionStatus
from domain.storage import Row, execute, fetch_all, transaction

SOURCE_KIND: Final = "cancellation"

_WHAT: Final = "redemption.cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRedemption:
    """Take a redemption back."""

    member_id: UUID
    redemption_id: UUID
    idempotency_key: str


async def cancel_redemption(
    command: CancelRedemption, *, rules_in_force: RewardRules, now: datetime
) -> Redemption:
    """Take a redemption back: its coupons end, its stock and its points come back, once.

    The points come back as lots with the expiry of those that paid; of a lot that expired
    meanwhile through the days of grace. Refused: InvalidInput, RedemptionUnknown,
    RedemptionNotCancellable, PointsOutOfRange, IdempotencyConflict.
    """
    idempotency.checked_key(command.idempotency_key)
    digests = idempotency.digests({"redemption_id": str(command.redemption_id)})

    async def work() -> Redemption:
        seen = await standing_redemption(command.member_id, redemption_id=command.redemption_id)
        # Another record of the member's may have paid it: the entry stands in its journal.
        concerned = [] if seen is None else [seen.member_id, seen.paid_by]
        books = await lock_accounts([command.member_id, *concerned])
        known = await recall_own(
            *(_WHAT, command.member_id), key=command.idempotency_key, digests=digests
        )
        if known is not None:
            return await _read(command)
        found = await locked_redemption(command.member_id, redemption_id=command.redemption_id)
        if found is None or found.paid_by not in books:
            raise RedemptionUnknown(field=("redemption_id",))
        rules.check_cancellable(found.status)
        await _revoke(await _locked_coupons(found), now=now)
        posted = await post_one(
            GiveBack(
                member_id=found.paid_by,
                entry_seq=found.entry_seq,
                points=found.points_spent,
                grace_until=expires_at(
                    AfterDays(rules_in_force.grace_days),
                    earned_at=now,
                    zone=(await program()).zone,
                ),
                source=Source(kind=SOURCE_KIND, reference=str(found.id)),
            ),
            now=now,
            books=books,
        )
        await write_cancelled(found, given_back_seq=posted.seq, now=now)
        await remember_own(
            *(_WHAT, found.member_id),
            key=command.idempotency_key,
            digests=digests,
            answer={"id": str(found.id)},
            now=now,
        )
        await put_back([found])
        return await _read(command)

    return await transaction(work)


async def _read(command: CancelRedemption) -> Redemption:
    """The redemption now. Refused: RedemptionUnknown, where it left with another's record since."""
    found = await standing_redemption(command.member_id, redemption_id=command.redemption_id)
    if found is None:
        raise RedemptionUnknown(field=("redemption_id",))
    return found


async def _locked_coupons(found: Redemption) -> Sequence[Row]:
    """The coupons of the redemption, locked in the order in which the till locks them too."""
    return await fetch_all(
        "SELECT member_id, id, status, expires_at, coupon_off, coupon_value, amount_min_fen,"
        " discount_max_fen, owner, order_reference, amount_fen, discount_fen, reserved_until"
        " FROM coupon WHERE member_id = $1 AND redemption_id = $2 ORDER BY member_id, id"
        " FOR NO KEY UPDATE",
        *(found.member_id, found.id),
    )


async def _revoke(coupons: Sequence[Row], *, now: datetime) -> None:
    for row in coupons:
        rules.revoke(state_of(row), now=now)
    for row in coupons:
        await execute(
            "UPDATE coupon SET status = $3, owner = NULL, order_reference = NULL,"
            " amount_fen = NULL, discount_fen = NULL, reserved_until = NULL"
            " WHERE member_id = $1 AND id = $2",
            *(row["member_id"], row["id"], CouponStatus.REVOKED.value),
        )


async def write_cancelled(found: Redemption, *, given_back_seq: int, now: datetime) -> None:
    """Write that the redemption is cancelled, and which entry gave its points back; tell it."""
    await execute(
        "UPDATE redemption SET status = $3, given_back_seq = $4, cancelled_at = $5"
        " WHERE member_id = $1 AND id = $2",
        *(found.member_id, found.id, RedemptionStatus.CANCELLED.value, given_back_seq, now),
    )
    facts = {
        "redemption": str(found.id),
        "reward": found.reward.code,
        "title_zh": found.reward.title_zh,
        "title_en": found.reward.title_en,
        "points": found.points_spent,
    }
    event = Event(kind="RedemptionCancelled", member_id=found.member_id, facts=facts)
    await announce([event], now=now)
