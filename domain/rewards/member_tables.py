"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="coupon",
        key=("id",),
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=("code", "title_zh", "title_en", "status", "issued_at", "expires_at"),
    ),
)
