"""Binding a phone number that WeChat vouches for to the member who is signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.errors import MemberNotFound
from domain.members.given_up_phones import replace_phones
from domain.members.phones import (
    bind_phone_identity,
    lock_phone,
    members_by_phones,
    parse_phone,
)
from domain.members.references import members_by_ids
from domain.members.standing import heirs, lock_member
from domain.members.values import Member
from domain.outbox import Event, announce
from domain.storage import execute, inside_transaction, transaction
from domain.wechat import WeChatClient


@dataclass(frozen=True, slots=True)
class BoundElsewhere:
    """The number leads to another member already: perhaps the same person, twice."""

    member_id: UUID


async def phone_from_wechat(app_id: str, code: str, *, wechat: WeChatClient) -> str:
    """The number (E.164) behind a code of `getPhoneNumber`, which is good once, five minutes.

    Raises the refusals of WeChat, and InvalidInput for a number that nobody can dial.
    """
    assert not inside_transaction(), "no network call inside a transaction"
    vouched = await wechat.phone_number(app_id, code)
    return parse_phone(f"+{vouched.country_code}{vouched.national_number}", field=("code",))


async def bind_phone(member_id: UUID, phone: str, *, now: datetime) -> Member | BoundElsewhere:
    """The member, to whom the number (E.164) leads from now on, in place of another one.

    Binding the number that is bound already changes nothing. A number of another member is left as
    it is: joining two records is custody's. Raises MemberNotFound. A transaction of a caller, who
    goes on with what this answers, keeps the number's lock.
    """

    async def work() -> Member | BoundElsewhere:
        await lock_phone(phone)
        owner = (await members_by_phones([phone])).get(phone)
        if owner is None:
            standing = await lock_member(member_id)
            await _replace(standing, phone, now=now)
        else:
            standing = (await heirs([member_id])).get(member_id, member_id)
            if owner != standing:
                return BoundElsewhere(owner)
        member = (await members_by_ids([standing])).get(standing)
        if member is None:
            raise MemberNotFound
        return member

    return await transaction(work)


async def _replace(member_id: UUID, phone: str, *, now: datetime) -> None:
    # The member's row is locked, so that two numbers at once come one by one.
    await execute("UPDATE member SET version = version + 1 WHERE id = $1", member_id)
    replaced = await replace_phones(member_id, now=now)
    await bind_phone_identity(member_id, phone, now=now)
    # Never the number: an event outlives an erasure.
    facts = {"replaced": bool(replaced)}
    await announce([Event(kind="PhoneBound", member_id=member_id, facts=facts)], now=now)
