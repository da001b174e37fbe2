"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.feedback.attachments.keeping import TOLD
from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="text_check",
        key=("message_id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("message_id", "verdict", "label", "checked_at", "decision", "decided_at"),
    ),
    MemberTable(
        name="attachment",
        key=("id",),
        # The files themselves are deleted with the rows, see `forget_attachments`.
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("id", "name", "media_type", "bytes", "sha256", "uploaded_at", "message_id"),
        told_if=TOLD,
    ),
    MemberTable(
        name="ticket_message",
        key=("ticket_id", "id"),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        # What staff note for each other about a conversation is told like what they say in it.
        told=(
            *("ticket_id", "id", "author_kind", "text", "at", "internal", "rating"),
            "text_check",
        ),
    ),
    MemberTable(
        name="ticket_event",
        key=("ticket_id", "seq"),
        # How long was waited for whom stays, for the statistics; no text is among the facts.
        erasing=Erasing.KEEP,
        merging=Merging.MOVE,
        told=("ticket_id", "seq", "at", "kind", "actor_kind", "facts"),
    ),
    MemberTable(
        name="ticket",
        key=("id",),
        # What a ticket counts for in the statistics stays, its person and words do not.
        erasing=Blank({"rating_message": "NULL", "purchase_id": "NULL"}),
        merging=Merging.MOVE,
        told=(
            "id",
            "number",
            "kind",
            "topic",
            "channel",
            "status",
            "priority",
            "purchase_id",
            "shop",
            "level",
            "submitted_at",
            "last_message_at",
            "cause",
            "merged_into",
            "answer_by",
            "resolve_by",
            "answered_at",
            "resolved_at",
            "answer_breached_at",
            "resolve_breached_at",
            "closed_at",
            "reopened",
            "experience",
            "expectation",
            "rating_message",
        ),
    ),
)
