"""Whose an object is that somebody asks for by its id."""

from __future__ import annotations

from uuid import UUID

from domain import members
from resolvers.context import RequestContext


async def own_id(context: RequestContext, member_id: UUID) -> UUID | None:
    """The caller's id where this one is theirs, or that of a record which they have now; else None.

    No statement where it is the caller's very own.
    """
    mine = context.member_id
    if mine is None or mine == member_id:
        return mine
    leads = await members.heirs([member_id])
    return mine if leads.get(member_id) == mine else None
