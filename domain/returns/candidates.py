"""Redemptions that may end because the points that paid for them are taken back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain import ledger, rewards
from domain.ledger import Place
from domain.returns.orders import OrderState
from domain.rewards import Unused


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A redemption that may end, and the entries that made the points which paid it."""

    unused: Unused
    paid_with: Collection[Place]


async def candidates_for(
    states: Collection[OrderState], *, lock: bool = False, now: datetime
) -> Sequence[Candidate]:
    """The redemptions that may end for these orders: those that points of one of them have paid."""
    earnings = {place for state in states for place in state.left}
    whose = {state.order.member_id for state in states}
    unused = await rewards.unused_redemptions(whose, lock=lock, now=now)
    paid = await ledger.paid_with({one.spending for one in unused})
    return [
        Candidate(unused=one, paid_with=paid[one.spending])
        for one in unused
        if not earnings.isdisjoint(paid[one.spending])
    ]
