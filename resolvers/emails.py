"""E-mail addresses: proving one by a code, taking one away."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from domain import members
from domain.errors import MemberNotFound
from resolvers.context import RequestContext
from resolvers.records import MemberRecord


async def set_email(
    context: RequestContext, email: str | None
) -> tuple[timedelta | None, MemberRecord]:
    """Send a code to the address, or take the confirmed one away; after how long again."""
    member_id, again = context.require_member(), None
    if email is None:
        member_id = await members.remove_email(member_id, now=context.now)
    else:
        command = members.SetEmail(member_id=member_id, email=email, language=context.language)
        again = await members.set_email(command, mails=context.services.mails, now=context.now)
    return again, await _record(context, member_id)


async def confirm_email(context: RequestContext, command: members.ConfirmEmail) -> MemberRecord:
    """Confirm the address."""
    member_id = await members.confirm_email(command, now=context.now)
    return await _record(context, member_id)


async def _record(context: RequestContext, member_id: UUID) -> MemberRecord:
    member = (await members.members_by_ids([member_id])).get(member_id)
    if member is None:
        raise MemberNotFound
    return MemberRecord(member, context)
