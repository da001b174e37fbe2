"""What WeChat tells us that a user did with what they had allowed us, and what follows for us.

Source: https://developers.weixin.qq.com/miniprogram/dev/framework/security.html, "authorised user
information changes": `user_info_modified`, `user_authorization_revoke`,
`user_authorization_cancellation`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from domain import idempotency, members
from domain.custody.deletion import COOLING, AskedBy, begin_deletion
from domain.members import UNCHANGED, ByWeChat, UpdateProfile
from domain.outbox import Event, announce
from domain.storage import transaction

NICKNAMES: Final = frozenset({6, 19})
AVATARS: Final = frozenset({6, 20})
PHONES: Final = frozenset({8})
"""The numbers by which a revocation names what this programme may hold; it holds nothing of the
others (addresses, positions, e-mail addresses, files, ...)."""


class AuthorizationNotice(StrEnum):
    """What happened, in WeChat's words."""

    INFO_MODIFIED = "user_info_modified"
    """WeChat found name or picture of the user risky and took them away: so do we."""

    REVOKED = "user_authorization_revoke"
    """The user takes back what they had allowed: what is named is to be deleted."""

    CANCELLED = "user_authorization_cancellation"
    """The user is done with the mini-program: what we hold is to be deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationChanged:
    """One notice about one user of one mini-program.

    `revoked` are the numbers of what was taken back, `sent_at_s` is the Unix time of the notice.
    """

    app_id: str
    open_id: str
    notice: AuthorizationNotice
    revoked: frozenset[int]
    sent_at_s: int

    @property
    def key(self) -> str:
        """The same for every delivery of one notice; nothing can be read in it."""
        told = [self.open_id, self.notice.value, sorted(self.revoked), self.sent_at_s]
        return hashlib.sha256(orjson.dumps(told)).hexdigest()


async def heed(
    changed: AuthorizationChanged, *, cooling: timedelta = COOLING, now: datetime
) -> bool:
    """Do what the notice asks, once, however often it is delivered; whether it was done now.

    A user whom nobody knows is no member: nothing is done and nothing kept.
    """
    scope = f"wechat.push:{changed.app_id}"

    async def work() -> bool:
        reference = ByWeChat(app_id=changed.app_id, open_id=changed.open_id)
        [member_id] = await members.lock_resolved([reference])
        if member_id is None or await idempotency.recall(scope, {changed.key: {}}):
            return False
        match changed.notice:
            case AuthorizationNotice.INFO_MODIFIED:
                await _forget(member_id, nickname=True, avatar=True, now=now)
            case AuthorizationNotice.REVOKED:
                await _forget(
                    member_id,
                    nickname=not NICKNAMES.isdisjoint(changed.revoked),
                    avatar=not AVATARS.isdisjoint(changed.revoked),
                    now=now,
                )
                if not PHONES.isdisjoint(changed.revoked):
                    await _forget_phone(member_id, now=now)
            case AuthorizationNotice.CANCELLED:
                await begin_deletion(member_id, asked_by=AskedBy.WECHAT, cooling=cooling, now=now)
        await idempotency.remember(scope, {changed.key: ({}, True)}, now=now)
        return True

    return await transaction(work)


async def _forget(member_id: UUID, *, nickname: bool, avatar: bool, now: datetime) -> None:
    gone: dict[str, Any] = {
        "nickname": "" if nickname else UNCHANGED,
        "avatar_url": None if avatar else UNCHANGED,
    }
    await members.update_profile(UpdateProfile(member_id=member_id, **gone), now=now)


async def _forget_phone(member_id: UUID, *, now: datetime) -> None:
    if await members.unbind_phones(member_id):
        await announce([Event(kind="PhoneUnbound", member_id=member_id, facts={})], now=now)
