"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="behavior_event",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("kind", "product_code", "theme_code", "at", "recorded_at"),
    ),
)
