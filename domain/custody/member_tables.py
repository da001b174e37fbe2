"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="data_export",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("status", "requested_at", "finished_at", "expires_at", "downloaded_at"),
    ),
    MemberTable(
        name="account_deletion",
        key=(),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("asked_by", "reason", "requested_at", "deletes_at"),
    ),
    MemberTable(
        name="erasure",
        key=(),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        untold="whoever stands here can ask for nothing any more",
    ),
)
