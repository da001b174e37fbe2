"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="member",
        key=(),
        erasing=Blank(
            {
                "nickname": "''",
                "avatar_url": "NULL",
                "birthday": "NULL",
                "gender": "NULL",
                "preferred_channel": "NULL",
            }
        ),
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
        name="member_interest",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.OWN,
        told=("theme_code", "source", "weight_permille", "set_at"),
    ),
    MemberTable(
        name="member_session",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        told=("app_id", "started_at", "expires_at", "revoked_at", "revoked_because"),
    ),
    MemberTable(
        name="refresh_token",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.STAY,
        untold="hashes of secrets",
    ),
)
