"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="notification",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("kind", "facts", "created_at", "read_at"),
    ),
    # What a record that was given up had said counts as long as the one that stays said nothing:
    # it is read there (`preferences`), so that two who are parted have each their own again.
    MemberTable(
        name="notification_preference",
        key=("kind_group", "channel"),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("kind_group", "channel", "wanted", "set_at"),
    ),
    MemberTable(
        name="notification_quiet_hours",
        key=("channel",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("channel", "from_minute", "until_minute", "time_zone", "set_at"),
    ),
    MemberTable(
        name="notification_delivery",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("notification_id", "channel", "state", "created_at", "sent_at"),
    ),
    MemberTable(
        name="subscribe_consent",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=("app_id", "template_id", "remaining", "updated_at"),
    ),
)
