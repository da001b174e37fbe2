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
    MemberTable(
        name="not_interested",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("product_code", "at"),
    ),
    MemberTable(
        name="product_letter",
        key=("product_code",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("product_code", "sent_at"),
    ),
    # What follows from the rest is computed anew of two who became one, and never moves.
    MemberTable(
        name="recommendation_list",
        key=("version", "list"),
        erasing=Erasing.DELETE,
        merging=Merging.OWN,
        told=("list", "items", "computed_at"),
    ),
    MemberTable(
        name="recommendation_due",
        key=(),
        erasing=Erasing.DELETE,
        merging=Merging.OWN,
        untold="only that the member's lists are to be computed anew",
    ),
)
