"""Reading what was given back of a member's orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.storage import fetch_all

REFUNDS_SHOWN: Final = 100
"""So many refunds of one order are shown, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRefund:
    """Money that was given back for an order, and the points that went with it."""

    id: UUID
    amount_fen: int
    currency: str
    refunded_at: datetime
    points_taken: int


async def refunds_of(
    member_id: UUID, purchase_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[PurchaseRefund]]:
    """The refunds of these orders of the member by order, the oldest first; one statement."""
    rows = await fetch_all(
        "SELECT * FROM ("
        " SELECT purchase_id, id, amount_fen, currency, refunded_at, points_taken,"
        " ROW_NUMBER() OVER (PARTITION BY purchase_id ORDER BY refunded_at, id) AS place"
        " FROM purchase_refund WHERE member_id = $1 AND purchase_id = ANY($2::uuid[])"
        ") AS numbered WHERE place <= $3 ORDER BY purchase_id, place",
        *(member_id, sorted(purchase_ids), REFUNDS_SHOWN),
    )
    found: dict[UUID, list[PurchaseRefund]] = {one: [] for one in purchase_ids}
    for row in rows:
        found[row["purchase_id"]].append(
            PurchaseRefund(
                id=row["id"],
                amount_fen=row["amount_fen"],
                currency=row["currency"],
                refunded_at=row["refunded_at"],
                points_taken=row["points_taken"],
            )
        )
    return found
