"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="member",
        key=(),
        erasing=Erasing.DELETE,
        merging=Merging.OWN,
        told=("nickname", "avatar_url", "birthday", "gender", "preferred_channel", "joined_at"),
        member_column="id",
    ),
    MemberTable(
        name="member_identity",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("kind", "app_id", "subject", "bound_at"),
    ),
    MemberTable(
        name="member_phone",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("bound_at",),  # The number itself is sealed: `phones_of` opens it.
    ),
    # What a record that was given up had said counts as long as the one that stays said nothing.
    MemberTable(
        name="member_email",
        key=(),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("set_at",),  # The address itself is sealed: `all_emails_of` opens it.
    ),
    MemberTable(
        name="member_interest",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.OWN,
        told=("theme_code", "source", "weight_permille", "set_at"),
    ),
    MemberTable(
        name="member_consent",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("purpose", "granted", "version", "at"),
    ),
    MemberTable(
        name="member_note",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("text", "author", "at"),
    ),
    MemberTable(
        name="service_contact",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("position", "role", "name", "channel", "set_at"),
    ),
    MemberTable(
        name="timeline_item",
        key=("occurred_at", "id"),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("occurred_at", "kind", "channel", "facts"),
    ),
    MemberTable(
        name="member_session",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("id", "app_id", "started_at", "expires_at", "revoked_at", "revoked_because"),
    ),
    MemberTable(
        name="refresh_token",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("session_id", "issued_at", "used_at"),
    ),
)
