"""Signing in with a phone number, where no WeChat is: apps, sites, the counter of a shop."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.access import AccessTokens
from domain.members.joining import join
from domain.members.phones import bind_phone_identity, lock_phone, members_by_phones
from domain.members.references import members_by_ids
from domain.members.sessions import LIFETIMES, open_session
from domain.members.sign_in import INVITE_CODE_CHARACTERS_MAX
from domain.members.sign_in_codes import prove_phone, use_proof
from domain.members.standing import lock_found
from domain.members.values import Member, SessionLifetimes, SignedIn
from domain.storage import transaction
from domain.texts import clean_text

APP: Final = "app"
"""What stands for the mini-program in sessions that began with a phone number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInWithPhone:
    """Sign in the owner of a number (E.164) with the code that was sent to it."""

    phone: str = field(repr=False)
    code: str = field(repr=False)
    invite_code: str | None = None


async def sign_in_with_phone(
    command: SignInWithPhone,
    *,
    tokens: AccessTokens,
    now: datetime,
    lifetimes: SessionLifetimes = LIFETIMES,
) -> SignedIn:
    """Compare the code, then find the member or let them join, and open a session.

    Raises SignInCodeInvalid, and InvalidInput for the invite code, which is looked at first and
    spends no try. The code is used up with the session that it opens: both or neither are there. Of
    racing first sign-ins of one person exactly one joins.
    """
    if command.invite_code is not None:
        clean_text(
            command.invite_code,
            field=("invite_code",),
            characters_max=INVITE_CODE_CHARACTERS_MAX,
        )
    proof = await prove_phone(command.phone, command.code, now=now)

    async def work() -> SignedIn:
        await use_proof(proof, now=now)
        member, is_new = await _admit(proof.phone, invite_code=command.invite_code, now=now)
        session = await open_session(
            member.id, app_id=APP, tokens=tokens, now=now, lifetimes=lifetimes
        )
        return SignedIn(member=member, session=session, is_new_member=is_new)

    return await transaction(work)


async def _standing(phone: str) -> UUID | None:
    """The member to whom the number leads, whose record nobody joins to another or erases now."""
    found = await lock_found(lambda: members_by_phones([phone]), lambda led: led.values())
    return found.get(phone)


async def _admit(phone: str, *, invite_code: str | None, now: datetime) -> tuple[Member, bool]:
    """The member to whom the number leads, and whether they joined just now."""
    await lock_phone(phone)
    known = await _standing(phone)
    if known is not None:
        return (await members_by_ids([known]))[known], False
    facts = {"via": "phone", "app_id": APP, "invite_code": invite_code}
    member = await join((), facts=facts, now=now)
    await bind_phone_identity(member.id, phone, now=now)
    return member, True
