"""Notes of staff on a member."""

from __future__ import annotations

from uuid import UUID

from domain import members
from domain.members import MemberNote, MemberRef
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def member_notes(member_id: UUID, page: PageRequest) -> Page[MemberNote]:
    """A page of the notes on the member, newest first."""
    return await members.member_notes(member_id, page)


async def add_member_note(
    context: RequestContext, member: MemberRef, *, text: str, idempotency_key: str
) -> MemberNote:
    """Write something down about a member."""
    command = members.AddMemberNote(member=member, text=text, idempotency_key=idempotency_key)
    return await members.add_member_note(command, by=context.actor(), now=context.now)
