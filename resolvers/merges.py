"""Joining two records of one person, and parting them again."""

from __future__ import annotations

from uuid import UUID

from domain import custody
from domain.custody import Merge
from domain.members import MemberRef
from resolvers.context import RequestContext


async def merge_members(
    context: RequestContext, *, keep: MemberRef, lose: MemberRef, idempotency_key: str
) -> Merge:
    """Join two records."""
    command = custody.MergeMembers(keep=keep, lose=lose, idempotency_key=idempotency_key)
    return await custody.merge_members(command, by=context.actor(), now=context.now)


async def undo_merge(
    context: RequestContext, *, merge_id: UUID | None, member_id: UUID | None, idempotency_key: str
) -> Merge:
    """Part two records again."""
    command = custody.UndoMerge(
        merge_id=merge_id, member_id=member_id, idempotency_key=idempotency_key
    )
    return await custody.undo_merge(
        command, files=context.services.files, by=context.actor(), now=context.now
    )
