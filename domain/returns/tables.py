"""The tables of this context, written in batches."""

from __future__ import annotations

from typing import Final

from domain.storage import Table

REFUNDS: Final = Table(
    "purchase_refund",
    member_id="uuid",
    id="uuid",
    purchase_id="uuid",
    source="text",
    external_id="text",
    amount_fen="bigint",
    currency="text",
    refunded_at="timestamptz",
    recorded_at="timestamptz",
    points_taken="bigint",
    debt_after="bigint",
    came_with="uuid",
)
REFUND_LINES: Final = Table(
    "purchase_refund_line",
    member_id="uuid",
    refund_id="uuid",
    line_id="text",
    purchase_id="uuid",
    quantity="integer",
    amount_fen="bigint",
    came_with="uuid",
)
