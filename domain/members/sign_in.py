"""Signing in with WeChat: from the code of `wx.login` to a member with a session.

WeChat knows a person by an openid in each mini-program and, where its apps share an Open Platform
account, by one unionid across them. A known openid leads to its member; an unknown one follows a
known unionid to the same member; when both are unknown somebody joins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.access import AccessTokens
from domain.members.joining import Known, bind, join
from domain.members.references import members_by_ids
from domain.members.sessions import LIFETIMES, open_session
from domain.members.standing import bound_to, lock_found
from domain.members.values import (
    MEMBER_COLUMNS,
    IdentityKind,
    Member,
    SessionLifetimes,
    SignedIn,
    member_of,
)
from domain.storage import fetch_all, inside_transaction, transaction
from domain.texts import clean_text
from domain.wechat import WeChatClient

INVITE_CODE_CHARACTERS_MAX: Final = 64

_FIND = f"""
    SELECT i.kind, m.merged_into, {MEMBER_COLUMNS}
    FROM member_identity i JOIN member m ON m.id = i.member_id
    WHERE (i.kind = 'wechat_openid' AND i.subject = $2 AND i.app_id = $1)
        OR (i.kind = 'wechat_unionid' AND i.subject = $3 AND i.app_id = '')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInWithWeChat:
    """Sign in the user of a mini-program. `code` is from `wx.login`, good once, five minutes."""

    app_id: str
    code: str
    invite_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """Whom WeChat vouched for: a unionid only where the app has an Open Platform account."""

    app_id: str
    openid: str
    unionid: str | None

    def known_by(self) -> Iterator[Known]:
        """What can lead to this person, what decides first."""
        yield Known(kind=IdentityKind.WECHAT_OPENID, app_id=self.app_id, subject=self.openid)
        if self.unionid is not None:
            yield Known(kind=IdentityKind.WECHAT_UNIONID, app_id="", subject=self.unionid)


async def sign_in_with_wechat(
    command: SignInWithWeChat,
    *,
    wechat: WeChatClient,
    tokens: AccessTokens,
    now: datetime,
    lifetimes: SessionLifetimes = LIFETIMES,
) -> SignedIn:
    """Exchange the code with WeChat, then find the member or let them join, and open a session.

    Raises the refusals of WeChat, and InvalidInput for the invite code. WeChat is asked first, so
    that no transaction waits for it. Of racing first sign-ins of one person exactly one joins.

    Where the openid is one member's and the unionid another's, the openid decides, and the answer
    names the other as `twin`: the two are one person, but joining their records is custody's.
    """
    assert not inside_transaction(), "no network call inside a transaction"
    if command.invite_code is not None:
        clean_text(
            command.invite_code,
            field=("invite_code",),
            characters_max=INVITE_CODE_CHARACTERS_MAX,
        )
    vouched = await wechat.code2session(command.app_id, command.code)
    person = _Person(app_id=command.app_id, openid=vouched.openid, unionid=vouched.unionid)

    async def work() -> SignedIn:
        member, is_new, twin = await _admit(person, invite_code=command.invite_code, now=now)
        session = await open_session(
            member.id, app_id=person.app_id, tokens=tokens, now=now, lifetimes=lifetimes
        )
        return SignedIn(
            member=member,
            session=session,
            is_new_member=is_new,
            twin=twin,
            unionid=person.unionid,
        )

    return await transaction(work)


async def member_by_unionid(unionid: str) -> UUID | None:
    """The member to whom the unionid leads."""
    rows = await bound_to("i.kind = 'wechat_unionid' AND i.subject = $1", unionid)
    return next((member_id for _, member_id in rows), None)


async def _admit(
    person: _Person, *, invite_code: str | None, now: datetime
) -> tuple[Member, bool, UUID | None]:
    """The member whom the person is, whether they joined just now, and whom their unionid names."""
    found = await _standing(person)
    unbound = [known for known in person.known_by() if known.kind not in found]
    by_unionid = found.get(IdentityKind.WECHAT_UNIONID)
    member = found.get(IdentityKind.WECHAT_OPENID) or by_unionid
    if member is None:
        facts = {"via": "wechat", "app_id": person.app_id, "invite_code": invite_code}
        return await join(unbound, facts=facts, now=now), True, None
    await bind(member.id, unbound, now=now)
    twin = None if by_unionid is None or by_unionid.id == member.id else by_unionid.id
    return member, False, twin


async def _standing(person: _Person) -> Mapping[IdentityKind, Member]:
    """The members to whom the person's identities lead, whom nobody merges or erases meanwhile."""
    return await lock_found(
        lambda: _find(person), lambda found: {member.id for member in found.values()}
    )


async def _find(person: _Person) -> Mapping[IdentityKind, Member]:
    rows = await fetch_all(_FIND, person.app_id, person.openid, person.unionid)
    found = {IdentityKind(row["kind"]): member_of(row) for row in rows}
    if any(row["merged_into"] for row in rows):
        # None is bound to a record that was given up. If one were, it would lead on all the same.
        has_it = await members_by_ids([member.id for member in found.values()])
        found = {kind: has_it[one.id] for kind, one in found.items() if one.id in has_it}
    return found
