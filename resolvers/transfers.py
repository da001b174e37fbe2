"""Transfers of points, by the member who gives them."""

from __future__ import annotations

from domain import ledger
from resolvers.context import RequestContext
from resolvers.ledger import EntryRecord, record_of


async def transfer_points(context: RequestContext, command: ledger.TransferPoints) -> EntryRecord:
    """Give points to another member; the giver's entry."""
    limits = context.services.transfer_limits
    giver, seq = await ledger.transfer_points(command, limits=limits, now=context.now)
    entry = await ledger.entry(giver, seq=seq)
    assert entry is not None, "the journal keeps what was posted"
    return record_of(entry)
