"""What a refund would come to, before anybody asks a shop for it: the same decisions, unwritten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import ledger, tiers
from domain.errors import AmountInvalid
from domain.ledger import AfterDays, Command, expires_at
from domain.program import program
from domain.purchases import AMOUNT_FEN_MAX
from domain.returns.candidates import candidates_for
from domain.returns.orders import OrderState, order_states
from domain.returns.planning import Decided, decide, give_back, most
from domain.returns.recording import qualifying
from domain.returns.refunds import Refund
from domain.rewards import Redemption, RewardRules
from domain.storage import snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPreview:
    """What a refund would do now: points taken, points then owed, and the level after.

    `ended` are the redemptions whose coupons would be taken back. `perks` are those that the level
    before gives, and the one after does not or gives less of; what time took is not among them.
    """

    points_taken: int
    debt_after: int
    level_after: str
    ended: tuple[Redemption, ...]
    perks: tiers.LessPerks


async def preview_refund(
    member_id: UUID,
    *,
    order_id: UUID,
    amount_fen: int,
    rules_in_force: RewardRules,
    now: datetime,
) -> RefundPreview | None:
    """What giving back so much of the member's order would do; None for an order that is no such.

    Nothing is written and nobody waits. Refused: AmountInvalid, RefundExceeds; and as the ledger
    refuses: AccountFrozen, PointsOutOfRange.
    """
    if not 1 <= amount_fen <= AMOUNT_FEN_MAX:
        raise AmountInvalid(field=("amount",), amount_fen=amount_fen)

    async def work() -> RefundPreview | None:
        states = await order_states({(member_id, order_id)})
        state = states.get(order_id)
        if state is None:
            return None
        return await _previewed(
            state, amount_fen=amount_fen, rules_in_force=rules_in_force, now=now
        )

    return await snapshot(work)


async def _previewed(
    state: OrderState, *, amount_fen: int, rules_in_force: RewardRules, now: datetime
) -> RefundPreview:
    member_id = state.order.member_id
    zone = (await program()).zone
    decided = await _decided(
        state,
        amount_fen=amount_fen,
        grace_until=expires_at(AfterDays(rules_in_force.grace_days), earned_at=now, zone=zone),
        now=now,
    )
    levels = await tiers.preview_disqualify(*(member_id, [qualifying(decided)]), zone=zone, now=now)
    return RefundPreview(
        points_taken=decided.points_taken,
        debt_after=decided.debt_after,
        level_after=levels.after,
        ended=tuple(unused.redemption for unused, _ in decided.ends),
        perks=await tiers.less_perks(levels.before, levels.after),
    )


async def _decided(
    state: OrderState, *, amount_fen: int, grace_until: datetime, now: datetime
) -> Decided:
    # Whoever placed an order in a future that a shop's clock told may ask before it comes.
    refund = Refund(
        external_id="",
        order_external_id=state.order.external_id,
        amount_fen=amount_fen,
        refunded_at=max(now, state.order.placed_at),
    )
    commands: list[Command] = [*most(state)]
    owner = state.order.member_id
    draft = await ledger.draft(commands, of=[owner], now=now)
    refund_id = uuid7()
    decided = decide(state, refund, refund_id=refund_id, draft=draft, grace_until=grace_until)
    if not decided.takes or decided.debt_after == 0:
        return decided
    candidates = await candidates_for([state], now=now)
    if not candidates:
        return decided
    commands += [give_back(one.unused, grace_until=grace_until) for one in candidates]
    draft = await ledger.draft(commands, of=[owner], now=now)
    return decide(
        state,
        refund,
        refund_id=refund_id,
        draft=draft,
        candidates=candidates,
        grace_until=grace_until,
    )
