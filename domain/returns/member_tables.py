"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="purchase_refund",
        key=("id",),
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=(
            "id",
            "purchase_id",
            "source",
            "external_id",
            "amount_fen",
            "currency",
            "refunded_at",
            "points_taken",
            "debt_after",
        ),
    ),
    MemberTable(
        name="purchase_refund_line",
        key=("refund_id", "line_id"),
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=("refund_id", "purchase_id", "line_id", "quantity", "amount_fen"),
    ),
)
