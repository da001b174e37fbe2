"""Members' own records: exports and deletion."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import custody
from resolvers.context import RequestContext
from resolvers.owning import own_id


async def export_my_data(context: RequestContext, *, idempotency_key: str) -> custody.DataExport:
    """Ask for all that is held of the caller."""
    return await custody.request_export(
        context.require_member(), idempotency_key=idempotency_key, now=context.now
    )


async def export_node(context: RequestContext, key: tuple[UUID, UUID]) -> custody.DataExport | None:
    """The export with this key, when it is the caller's own, or of a record that they have now."""
    member_id, export_id = key
    if await own_id(context, member_id) is None:
        return None
    return await custody.data_export(member_id, export_id=export_id, now=context.now)


async def request_account_deletion(
    context: RequestContext, *, reason: str | None, idempotency_key: str
) -> datetime:
    """Ask that the caller's account be deleted."""
    command = custody.RequestDeletion(
        member_id=context.require_member(), reason=reason, idempotency_key=idempotency_key
    )
    cooling = context.services.cooling
    return await custody.request_deletion(command, cooling=cooling, now=context.now)


async def cancel_account_deletion(context: RequestContext, *, idempotency_key: str) -> bool:
    """Take that back."""
    return await custody.cancel_deletion(
        context.require_member(), idempotency_key=idempotency_key, now=context.now
    )
