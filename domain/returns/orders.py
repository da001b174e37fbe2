"""Orders as a refund finds them: what of them was given back before, and what is left to take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from domain import ledger, purchases
from domain.ledger import Place
from domain.purchases import OrderPlace, Refundable, Refunded
from domain.returns.refunds import Refund
from domain.storage import fetch_all

_OF_LINES = """
    SELECT purchase_id, line_id, SUM(quantity)::bigint AS quantity,
           SUM(amount_fen)::bigint AS amount_fen
    FROM purchase_refund_line
    WHERE member_id = ANY($1::uuid[]) AND purchase_id = ANY($2::uuid[])
    GROUP BY purchase_id, line_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """An order, what was given back for each of its lines, and what is left of its earnings."""

    order: Refundable
    of_lines: Mapping[str, Refunded]
    left: Mapping[Place, int]

    @property
    def left_fen(self) -> int:
        """What may still be given back."""
        return self.order.paid_fen - self.order.refunded_fen

    def refunded(self, refund: Refund) -> OrderState:
        """The order after the refund, but for the points, which `taken` tells of."""
        of_lines = dict(self.of_lines)
        for line in refund.lines:
            before = of_lines.get(line.line_id, Refunded())
            of_lines[line.line_id] = Refunded(
                quantity=before.quantity + line.quantity,
                amount_fen=before.amount_fen + line.amount_fen,
            )
        order = replace(self.order, refunded_fen=self.order.refunded_fen + refund.amount_fen)
        return replace(self, order=order, of_lines=of_lines)

    def points_to_take(self) -> int:
        """How many more points go with all that was given back, as far as they are there."""
        due = self.order.points_to_take(
            self.order.refunded_fen,
            of_lines={line_id: line.amount_fen for line_id, line in self.of_lines.items()},
        )
        return min(due, sum(self.left.values()))

    def taken(self, points: Mapping[Place, int]) -> OrderState:
        """The order after so many points of each earning were taken back."""
        left = {place: here - points.get(place, 0) for place, here in self.left.items()}
        taken = self.order.points_taken + sum(points.values())
        return replace(self, order=replace(self.order, points_taken=taken), left=left)


async def order_states(
    places: Collection[OrderPlace], *, lock: bool = False
) -> Mapping[UUID, OrderState]:
    """The orders that are there by id; with `lock` until the caller's transaction ends.

    A fixed number of statements. Whoever locks them has locked the members and their accounts.
    """
    orders = await purchases.refundable_orders(places, lock=lock)
    if not orders:
        return {}
    of_lines: dict[UUID, dict[str, Refunded]] = {order_id: {} for order_id in orders}
    rows = await fetch_all(
        _OF_LINES,
        *(sorted({order.member_id for order in orders.values()}), sorted(orders)),
    )
    for row in rows:
        of_lines[row["purchase_id"]][row["line_id"]] = Refunded(
            quantity=row["quantity"], amount_fen=row["amount_fen"]
        )
    left = await ledger.left_of_earnings(
        {place for order in orders.values() for place in order.earnings}
    )
    return {
        order_id: OrderState(
            order=order,
            of_lines=of_lines[order_id],
            left={place: left[place] for place in order.earnings if place in left},
        )
        for order_id, order in orders.items()
    }
