"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="points_account",
        key=(),
        erasing=Erasing.KEEP,
        merging=Merging.OWN,
        told=("available", "pending", "held", "debt"),
    ),
    MemberTable(
        name="points_entry",
        key=("seq",),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=(
            "seq",
            "kind",
            "amount",
            "balance_after",
            "effective_at",
            "recorded_at",
            "source_kind",
        ),
    ),
    MemberTable(
        name="points_entry_text",
        key=("seq",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("seq", "reason", "note", "reference"),
    ),
    MemberTable(
        name="points_lot",
        key=("lot_seq",),
        erasing=Erasing.KEEP,
        merging=Merging.OWN,
        told=(
            "lot_seq",
            "entry_seq",
            "earned",
            "remaining",
            "pinned",
            "earned_at",
            "matures_at",
            "expires_at",
        ),
    ),
    MemberTable(
        name="points_draw",
        key=("entry_seq", "lot_seq"),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=("entry_seq", "lot_seq", "amount"),
    ),
    MemberTable(
        name="points_hold",
        key=("hold_id",),
        erasing=Blank({"reference": "'-'"}),
        merging=Merging.OWN,
        told=("hold_id", "owner", "reference", "amount", "state", "captured", "expires_at"),
    ),
    MemberTable(
        name="points_hold_reference",
        key=("owner", "reference"),
        erasing=Erasing.DELETE,
        merging=Merging.OWN,
        told=("owner", "hold_id"),
    ),
    MemberTable(
        name="points_pin",
        key=("hold_id", "lot_seq"),
        erasing=Erasing.KEEP,
        merging=Merging.OWN,
        told=("hold_id", "lot_seq", "amount"),
    ),
    MemberTable(
        name="points_transferred",
        key=("day",),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=("day", "points", "times"),
    ),
    MemberTable(
        name="points_reversed",
        key=("entry_seq",),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=("entry_seq", "amount", "reversed"),
    ),
    MemberTable(
        name="points_reversal",
        key=("reverses", "cause"),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=("reverses", "cause", "seq"),
    ),
    MemberTable(
        name="points_snapshot",
        key=("seq",),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        told=("seq", "available", "pending", "held", "debt", "recorded_at"),
    ),
    MemberTable(
        name="points_adjustment",
        key=("id",),
        erasing=Blank({"reason": "'-'"}),
        merging=Merging.STAY,
        told=("points", "reason", "status", "requested_at", "applied_at"),
    ),
    MemberTable(
        name="points_audited",
        key=(),
        erasing=Erasing.KEEP,
        merging=Merging.STAY,
        untold="how far the audit came",
    ),
)
