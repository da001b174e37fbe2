"""Order notices of shops."""

from __future__ import annotations

from collections.abc import Sequence

from domain import purchases
from domain.access import CallerKind
from domain.purchases import NoticeBatch, OrderNotice, RecordOrderNotices
from resolvers.context import RequestContext


async def record_order_notices(
    context: RequestContext, *, batch_id: str, notices: Sequence[OrderNotice]
) -> NoticeBatch:
    """Record a batch of order notices of the shop that asks."""
    source = context.require_account(CallerKind.SHOP, CallerKind.PARTNER).code
    command = RecordOrderNotices(source=source, batch_id=batch_id, notices=notices)
    return await purchases.record_order_notices(command, now=context.now)
