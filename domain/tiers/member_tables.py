"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="member_level",
        key=(),
        erasing=Erasing.KEEP,
        merging=Merging.OWN,
        told=("level_code", "since", "keep_until"),
    ),
    MemberTable(
        name="level_term",
        key=("id",),
        # What staff wrote of a grant may tell who it was.
        erasing=Blank({"reason": "CASE WHEN reason IS NULL THEN NULL ELSE '-' END"}),
        merging=Merging.OWN,
        told=("level_code", "kind", "since", "keep_until", "grace_until", "reason"),
    ),
    MemberTable(
        name="level_change",
        key=("seq",),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=("from_code", "to_code", "reason", "qualifying_points", "occurred_at"),
    ),
    MemberTable(
        name="qualifying_day",
        key=("day",),
        erasing=Erasing.KEEP,
        merging=Merging.OWN,
        told=("day", "points", "amount_fen", "purchases"),
    ),
    MemberTable(
        name="perk_use",
        key=("id",),
        # What a shop calls the order may name a person, and so may what staff wrote.
        erasing=Blank({"reference": "NULL", "cancel_reason": "NULL"}),
        merging=Merging.MOVE,
        told=(
            "perk_code",
            "level_code",
            "title_zh",
            "title_en",
            "reference",
            "used_at",
            "cancelled_at",
            "cancel_reason",
        ),
    ),
)
