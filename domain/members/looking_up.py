"""Looking a member up for staff, who have to say so: the audit log tells of each look."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from domain import audit
from domain.audit import Actor, Target
from domain.members.references import (
    ByBindToken,
    ByExternalReference,
    ById,
    ByPairwiseReference,
    ByPhone,
    ByWeChat,
    MemberRef,
    members_by_ids,
    resolve_members,
)
from domain.members.values import Member
from domain.storage import transaction

_NOBODY: Final = UUID(int=0)

_WAYS: Final[dict[type, str]] = {
    ById: "id",
    ByPhone: "phone",
    ByWeChat: "wechat",
    ByBindToken: "bindToken",
    ByPairwiseReference: "memberRef",
    ByExternalReference: "externalRef",
}


async def look_up(reference: MemberRef, *, by: Actor, now: datetime) -> Member | None:
    """The member whom the reference names, None where it names nobody.

    The look is recorded in the same transaction, whether it found somebody or not: who looked for
    whom and in which way, never the reference itself, which may be a phone number. Both take the
    same statements.
    """

    async def work() -> Member | None:
        [member_id] = await resolve_members([reference])
        found = (await members_by_ids([member_id or _NOBODY])).get(member_id or _NOBODY)
        audit.record(
            by,
            "member.read",
            target=None if found is None else Target(kind="member", id=str(found.id)),
            after={"by": _WAYS[type(reference)], "found": found is not None},
            now=now,
        )
        return found

    return await transaction(work)
