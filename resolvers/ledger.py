"""The points ledger, read by its member."""

from __future__ import annotations

from uuid import UUID

from domain import ledger
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def journal(member_id: UUID, page: PageRequest) -> Page[ledger.JournalEntry]:
    """A page of the journal, newest first."""
    return await ledger.journal(member_id, page)


async def entry_node(context: RequestContext, key: tuple[UUID, int]) -> ledger.JournalEntry | None:
    """The entry with this key, when it is the caller's own."""
    member_id, seq = key
    if context.member_id != member_id:
        return None
    return await ledger.entry(member_id, seq=seq)
