"""Members."""

from __future__ import annotations

from uuid import UUID

from domain import members
from resolvers.context import NotAllowed, RequestContext
from resolvers.owning import own_id
from resolvers.records import MemberRecord


async def me(context: RequestContext) -> MemberRecord:
    """The member who asks."""
    context.require_member()
    if not isinstance(context.principal, members.Member):
        raise NotAllowed
    return MemberRecord(context.principal, context)


async def member_node(context: RequestContext, member_id: UUID) -> MemberRecord | None:
    """The member with this id, when it is the one who asks, or was, before a merge."""
    return None if await own_id(context, member_id) is None else await me(context)


async def member(context: RequestContext, member_id: UUID) -> MemberRecord:
    """A member by id, for payloads whose use case has just vouched for them."""
    found = await members.members_by_ids([member_id])
    return MemberRecord(found[member_id], context)
