"""Links that end mails of one group with one click (RFC 8058). They name nobody who reads them.

A link holds for ever: a mail may lie unread for years. It ends mails and does nothing else, so that
whoever gets hold of one can do no more harm than that; the member says otherwise in the programme.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.errors import MemberNotFound
from domain.members import phone_vault
from domain.notifications.kinds import KindGroup
from domain.notifications.preferences import (
    SetNotificationPreferences,
    set_notification_preferences,
)
from domain.notifications.quiet import Channel

_PURPOSE: Final = b"unsubscribing"
_DIGEST_BYTES: Final = 16
_TOKEN_CHARACTERS_MAX: Final = 96


def unsubscribe_token(member_id: UUID, group: KindGroup) -> str:
    """What stands at the end of a link for the member and the group."""
    content = member_id.bytes + group.value.encode()
    return base64.urlsafe_b64encode(_digest(content) + content).rstrip(b"=").decode()


def unsubscribe_group(token: str) -> tuple[UUID, KindGroup] | None:
    """Whom the token is for and of which group; None for what we never gave out."""
    if len(token) > _TOKEN_CHARACTERS_MAX or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        digest, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if not hmac.compare_digest(digest, _digest(content)):
            return None
        return UUID(bytes=content[:16]), KindGroup(content[16:].decode())
    except ValueError:
        return None


async def unsubscribe(token: str, *, now: datetime) -> bool:
    """Let no mails of the group come any more; False for what we never gave out.

    Doing it again changes nothing, nor does it for somebody who is a member no more.
    """
    found = unsubscribe_group(token)
    if found is None:
        return False
    member_id, group = found
    said = {(group, Channel.EMAIL): False}
    command = SetNotificationPreferences(member_id=member_id, said=said, quiet={})
    with suppress(MemberNotFound):
        await set_notification_preferences(command, now=now)
    return True


def _digest(content: bytes) -> bytes:
    key = phone_vault().derived(_PURPOSE)
    return hmac.new(key, content, hashlib.sha256).digest()[:_DIGEST_BYTES]
