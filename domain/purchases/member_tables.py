"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="purchase",
        key=("id",),
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=(
            "id",
            "source",
            "external_id",
            "placed_at",
            "paid_fen",
            "currency",
            "channel",
            "shop",
            "points",
            "refunded_fen",
            "points_taken",
        ),
    ),
    MemberTable(
        name="purchase_line",
        key=("purchase_id", "line_id"),
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=("purchase_id", "line_id", "product_code", "quantity", "amount_fen"),
    ),
    MemberTable(
        name="order_notice",
        key=("purchase_id", "id"),
        # A carrier's number leads to where somebody lives.
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("purchase_id", "source", "external_id", "kind", "carrier", "number", "at"),
    ),
)
