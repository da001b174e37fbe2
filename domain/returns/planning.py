"""What a refund comes to, decided the same for whoever records it and for whoever only asks.

The points that the order earned with what is given back are taken back. Where that would leave the
member owing points, redemptions that were paid with points of this very order, and of which no
coupon was used, end first, the newest before the others, and no more of them than the debt needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.errors import (
    RefundBeforeOrder,
    RefundExceeds,
    RefundLineExceeds,
    RefundLineUnknown,
)
from domain.ledger import Draft, GiveBack, Place, Source, TakeBack
from domain.purchases import Refunded
from domain.returns.candidates import Candidate
from domain.returns.orders import OrderState
from domain.returns.refunds import Refund
from domain.rewards import Unused

SOURCE_KIND: Final = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a refund does: `after` is the order, `draft` the accounts once it is posted.

    `ends` are the redemptions that end, each with the command that gives its points back.
    """

    refund: Refund
    refund_id: UUID
    after: OrderState
    points_taken: int
    takes: Sequence[TakeBack]
    ends: Sequence[tuple[Unused, GiveBack]]
    draft: Draft

    @property
    def debt_after(self) -> int:
        """What the member then owes."""
        return self.draft.standing(self.after.order.member_id).debt

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the order is left, so that it is no purchase any more."""
        return self.after.left_fen == 0


def check(state: OrderState, refund: Refund) -> None:
    """Refuse what the order does not bear, in this order.

    RefundBeforeOrder, RefundLineUnknown, RefundLineExceeds, RefundExceeds.
    """
    order = state.order
    if refund.refunded_at < order.placed_at:
        raise RefundBeforeOrder(field=("refunded_at",))
    for at, line in enumerate(refund.lines):
        bought = order.lines.get(line.line_id)
        if bought is None:
            raise RefundLineUnknown(field=("lines", str(at), "line_id"))
        before = state.of_lines.get(line.line_id, Refunded())
        pieces, fen = bought.quantity - before.quantity, bought.amount_fen - before.amount_fen
        if line.quantity > pieces or line.amount_fen > fen:
            field = "quantity" if line.quantity > pieces else "amount"
            raise RefundLineExceeds(
                left_quantity=pieces, left_fen=fen, field=("lines", str(at), field)
            )
    if refund.amount_fen > state.left_fen:
        raise RefundExceeds(left_fen=state.left_fen, field=("amount",))


def decide(
    state: OrderState,
    refund: Refund,
    *,
    refund_id: UUID,
    draft: Draft,
    candidates: Sequence[Candidate] = (),
    grace_until: datetime,
) -> Decided:
    """What the refund does to the order and to the accounts of the draft.

    `candidates` are the member's, the newest first. Points that come back of a lot that expired
    meanwhile are good until `grace_until`. Refused as by `check`, and as the ledger refuses.
    """
    check(state, refund)
    refunded = state.refunded(refund)
    parts = _parts(refunded)
    takes = [
        TakeBack(
            member_id=member_id,
            entry_seq=entry_seq,
            points=points,
            source=Source(kind=SOURCE_KIND, reference=str(refund_id)),
        )
        for (member_id, entry_seq), points in parts.items()
    ]
    member_id = state.order.member_id
    after = draft.after(takes)
    owed = after.standing(member_id).debt - draft.standing(member_id).debt
    ends = _ends(state, candidates, owed=owed, grace_until=grace_until)
    if ends:
        after = draft.after([*(back for _, back in ends), *takes])
    return Decided(
        refund=refund,
        refund_id=refund_id,
        after=refunded.taken(parts),
        points_taken=sum(parts.values()),
        takes=takes,
        ends=ends,
        draft=after,
    )


def give_back(unused: Unused, *, grace_until: datetime) -> GiveBack:
    """The command that gives back what the redemption cost."""
    member_id, entry_seq = unused.spending
    return GiveBack(
        member_id=member_id,
        entry_seq=entry_seq,
        points=unused.redemption.points_spent,
        grace_until=grace_until,
        source=unused.source,
    )


def most(state: OrderState) -> list[TakeBack]:
    """The most that can be taken back of the order: what a draft has to be made for."""
    source = Source(kind=SOURCE_KIND, reference="")
    return [
        TakeBack(member_id=member_id, entry_seq=entry_seq, points=points, source=source)
        for (member_id, entry_seq), points in state.left.items()
    ]


def _parts(state: OrderState) -> dict[Place, int]:
    """How many points are taken back of each earning, of the newest first."""
    left = state.points_to_take()
    parts: dict[Place, int] = {}
    for place, here in state.left.items():
        part = min(left, here)
        if part:
            parts[place] = part
            left -= part
    return parts


def _ends(
    state: OrderState, candidates: Sequence[Candidate], *, owed: int, grace_until: datetime
) -> list[tuple[Unused, GiveBack]]:
    """The redemptions that end, so that `owed` points are there or no more can be had."""
    ends = []
    for one in candidates:
        if owed <= 0:
            break
        if (
            one.unused.redemption.member_id == state.order.member_id
            and not state.left.keys().isdisjoint(one.paid_with)
        ):
            ends.append((one.unused, give_back(one.unused, grace_until=grace_until)))
            owed -= one.unused.redemption.points_spent
    return ends
