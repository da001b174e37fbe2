"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="outbox",
        key=("seq",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("kind", "payload", "announced_at"),
    ),
    MemberTable(
        name="outbox_stream",
        key=(),
        # What was announced and not delivered is gone: whoever was about to deliver it lets go.
        erasing=Blank({"delivered_seq": "last_seq", "attempts": "0", "lease": "NULL"}),
        merging=Merging.STAY,
        untold="how far the delivery came",
    ),
    MemberTable(
        name="outbox_parked",
        key=("seq", "consumer"),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("kind", "payload", "announced_at"),
    ),
    MemberTable(
        name="outbox_consumed",
        key=("seq", "consumer"),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        untold="how far the delivery came",
    ),
)
