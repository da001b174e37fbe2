"""Under which openids WeChat knows a member: whom to ask WeChat about, and to send messages to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from domain.storage import fetch_all

APPS_MAX: Final = 5
"""Of how many mini-programs one member's openids are told."""


@dataclass(frozen=True, slots=True)
class WeChatUser:
    """A member in one mini-program."""

    app_id: str
    openid: str = field(repr=False)


async def wechat_users(member_id: UUID) -> list[WeChatUser]:
    """The member in each mini-program, the one that they came to last first; none for most apps."""
    rows = await fetch_all(
        "SELECT app_id, subject FROM member_identity"
        " WHERE member_id = $1 AND kind = 'wechat_openid' ORDER BY bound_at DESC, id DESC LIMIT $2",
        *(member_id, APPS_MAX),
    )
    return [WeChatUser(row["app_id"], row["subject"]) for row in rows]
