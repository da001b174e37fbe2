"""Purchases that shops record."""

from __future__ import annotations

from collections.abc import Sequence

from domain import purchases
from domain.access import ApiClient
from resolvers.context import NotAllowed, RequestContext


async def record_purchases(
    context: RequestContext, *, batch_id: str, orders: Sequence[purchases.Order]
) -> purchases.PurchaseBatch:
    """Record a batch of orders of the shop that asks."""
    if not isinstance(context.principal, ApiClient):
        raise NotAllowed
    command = purchases.RecordPurchases(
        source=context.principal.code, batch_id=batch_id, orders=orders
    )
    return await purchases.record_purchases(command, now=context.now)
