"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="outbox",
        key=("seq",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        untold="messages about what the other tables hold",
    ),
    MemberTable(
        name="outbox_stream",
        key=(),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        untold="how far the delivery came",
    ),
    MemberTable(
        name="outbox_parked",
        key=("seq", "consumer"),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        untold="messages about what the other tables hold",
    ),
    MemberTable(
        name="outbox_consumed",
        key=("seq", "consumer"),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        untold="how far the delivery came",
    ),
)
