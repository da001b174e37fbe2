"""Purchases: what shops record, and what members read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain import purchases, returns
from domain.access import CallerKind
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.once import Once
from resolvers.owning import own_id


async def record_purchases(
    context: RequestContext, *, batch_id: str, orders: Sequence[purchases.Order]
) -> purchases.PurchaseBatch:
    """Record a batch of orders of the shop that asks."""
    source = context.require_account(CallerKind.SHOP, CallerKind.PARTNER).code
    command = purchases.RecordPurchases(source=source, batch_id=batch_id, orders=orders)
    return await purchases.record_purchases(command, now=context.now)


@dataclass(frozen=True, slots=True)
class PurchaseRecord:
    """An order with those that were read with it: the lines of all are read together."""

    purchase: purchases.Purchase
    together: tuple[UUID, ...]
    once: Once

    @property
    def key(self) -> str:
        """What names the purchase in the whole programme."""
        return self.purchase.key

    async def lines(self) -> Sequence[purchases.PurchaseLine]:
        """The lines of the order."""
        member_id = self.purchase.member_id
        lines = await self.once.read("lines", lambda: purchases.lines_of(member_id, self.together))
        return lines[self.purchase.id]

    async def refunds(self) -> Sequence[returns.PurchaseRefund]:
        """What was given back of the order."""
        member_id = self.purchase.member_id
        refunds = await self.once.read(
            "refunds", lambda: returns.refunds_of(member_id, self.together)
        )
        return refunds[self.purchase.id]

    async def notices(self) -> Sequence[purchases.KeptNotice]:
        """Where the order is on its way."""
        member_id = self.purchase.member_id
        notices = await self.once.read(
            "notices", lambda: purchases.notices_of(member_id, self.together)
        )
        return notices[self.purchase.id]


async def member_purchases(member_id: UUID, request: PageRequest) -> Page[PurchaseRecord]:
    """A page of the member's orders, newest first."""
    page = await purchases.purchases(member_id, request)
    together, once = tuple(one.id for one in page.items), Once()
    records = [PurchaseRecord(one, together, once) for one in page.items]
    return Page(items=records, keys=page.keys, has_next=page.has_next)


async def purchase_node(context: RequestContext, key: tuple[UUID, UUID]) -> PurchaseRecord | None:
    """The order with this key, when it is the caller's own."""
    member_id, purchase_id = key
    # An order goes over with its member's record.
    mine = await own_id(context, member_id)
    if mine is None:
        return None
    found = await purchases.purchase(mine, purchase_id=purchase_id)
    return PurchaseRecord(found, (found.id,), Once()) if found else None
