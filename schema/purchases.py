"""Purchases: what shops record, and what members read of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import purchases, returns
from domain.errors import ErrorCode
from domain.purchases import OrderNoticeKind, ReceiptStatus
from resolvers import purchases as resolvers
from resolvers.purchases import PurchaseRecord
from schema.catalogue import Product
from schema.connections import KeysetList
from schema.cost import MUTATION_COST, Cost
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.member_references import MemberReference
from schema.money import Money
from schema.mutations import Payload, mutation
from schema.node import Node, encode_global_id, node_type, parse_uuid
from schema.policies import OWNER, scope
from schema.scalars import Fen, Points

WRITES_PURCHASES = scope("purchases:write")

enum_type(ReceiptStatus)
enum_type(OrderNoticeKind)


@input_type()
class OrderLineInput:
    """One line of an order."""

    line_id: strawberry.ID
    """The shop's own id of the line, unique within the order."""

    product_code: str
    """The product's code; one that is not in the catalogue is kept and earns at the default."""

    quantity: int
    """How many; a line of 0 is kept and earns nothing."""

    amount: Fen
    """What the line costs in all, before discounts on the whole order."""


@input_type()
class OrderInput:
    """One order that was paid."""

    external_id: strawberry.ID
    """The shop's own id of the order: recorded once, whatever batch it comes in."""

    member: MemberReference
    """Who bought."""

    placed_at: datetime
    """When the order was placed; not in the future."""

    paid: Fen
    """What was paid for it in all."""

    currency: str | None = None
    """ISO 4217; the programme's currency where it is left out, and no other."""

    channel: str | None = None
    """The code of the channel, for example `mini-program`."""

    shop: str | None = None
    """The shop's name or code."""

    lines: list[OrderLineInput]
    """What was bought: 1 to 200 lines."""


@input_type()
class RecordPurchasesInput:
    """A batch of orders."""

    batch_id: strawberry.ID
    """The shop's own id of the batch: sent again, it gives the same answer."""

    orders: list[OrderInput]
    """1 to 500 orders."""


@object_type(policy=WRITES_PURCHASES)
class PurchaseReceipt:
    """What became of one order."""

    index: int
    """Its place in the batch, from 0."""

    external_id: strawberry.ID
    """The shop's own id of the order."""

    status: ReceiptStatus
    """What became of it."""

    code: ErrorCode | None
    """Why it was rejected; null otherwise."""

    points_earned: Points
    """What the order earned when it was recorded."""

    @computed(WRITES_PURCHASES)
    def order_id(self) -> strawberry.ID | None:
        """The id of the recorded purchase; null when it was rejected."""
        receipt: purchases.Receipt = view(self)
        if receipt.purchase_id is None:
            return None
        return encode_global_id("Purchase", f"{receipt.member_id}:{receipt.purchase_id}")


@object_type(policy=WRITES_PURCHASES)
class PurchaseBatch:
    """The answer to a batch: one receipt per order, in their order."""

    id: strawberry.ID
    """The shop's own id of the batch."""

    replayed: bool
    """Whether the batch had been answered before, and this is that answer."""

    receipts: list[PurchaseReceipt]
    """What became of each order."""


@object_type(policy=WRITES_PURCHASES)
class RecordPurchasesPayload(Payload):
    """What recording a batch led to."""

    batch: PurchaseBatch | None = None
    """The answer; null when the batch was refused whole."""


@mutation(
    WRITES_PURCHASES,
    cost=Cost(own=MUTATION_COST, items="input.orders", of=("batch.receipts",), each=1),
)
async def record_purchases(info: Info, input: RecordPurchasesInput) -> RecordPurchasesPayload:
    """Record orders that were paid, so that they earn points. Not all or nothing."""
    orders = [_order(order, index) for index, order in enumerate(input.orders)]
    batch: PurchaseBatch = view(
        await resolvers.record_purchases(info.context, batch_id=input.batch_id, orders=orders)
    )
    return RecordPurchasesPayload(batch=batch)


def _order(order: OrderInput, index: int) -> purchases.Order:
    return purchases.Order(
        external_id=order.external_id,
        member=order.member.value(field=("orders", index, "member")),
        placed_at=order.placed_at,
        paid_fen=order.paid,
        currency=order.currency,
        channel=order.channel,
        shop=order.shop,
        lines=[
            purchases.OrderLine(
                line_id=line.line_id,
                product_code=line.product_code,
                quantity=line.quantity,
                amount_fen=line.amount,
            )
            for line in order.lines
        ],
    )


PURCHASES = KeysetList("purchases", (datetime, UUID))


def parse_purchase_key(text: str) -> tuple[UUID, UUID]:
    """The member and the order in an order's key."""
    member_id, _, purchase_id = text.partition(":")
    return parse_uuid(member_id), parse_uuid(purchase_id)


@object_type(policy=OWNER)
class Review:
    """What a member says of something that they bought."""

    id: strawberry.ID
    """The id of the review."""

    stars: int
    """1 to 5."""


@object_type(policy=OWNER)
class PurchaseRefund:
    """Money that was given back for an order."""

    @computed(OWNER)
    def amount(self) -> Money:
        """How much."""
        refund: returns.PurchaseRefund = view(self)
        return Money(amount=Fen(refund.amount_fen), currency=refund.currency)

    refunded_at: datetime
    """When it was given back."""

    points_taken: Points
    """How many of the points that the order had earned went with it."""


@object_type(policy=OWNER)
class OrderNotice:
    """Where an order was on its way, as the shop told it."""

    kind: OrderNoticeKind
    """What happened."""

    at: datetime
    """When."""

    carrier: str | None
    """Who carries it; null where the shop did not say."""

    number: str | None
    """The carrier's number, for tracking; null where the shop did not say."""


@object_type(policy=OWNER)
class PurchaseLine:
    """One line of an order."""

    quantity: int
    """How many."""

    product_code: str
    """The shop's code of the product."""

    @computed(OWNER)
    def id(self) -> strawberry.ID:
        """The id of the line."""
        line: purchases.PurchaseLine = view(self)
        return encode_global_id("PurchaseLine", line.key)

    @computed(OWNER)
    def amount(self) -> Money:
        """What the line costs in all, before discounts on the whole order."""
        line: purchases.PurchaseLine = view(self)
        return Money(amount=Fen(line.amount_fen), currency=line.currency)

    @computed(OWNER)
    def product(self) -> Product | None:
        """What was bought; null while the catalogue does not have it."""
        line: purchases.PurchaseLine = view(self)
        product: Product | None = view(line.product)
        return product

    @computed(OWNER)
    def review(self) -> Review | None:
        """What the member says of it; null, until reviews can be given."""
        return None


@node_type(
    policy=OWNER,
    key="key",
    load=resolvers.purchase_node,
    parse=parse_purchase_key,
    reads=PurchaseRecord,
)
class Purchase(Node):
    """An order that was paid."""

    @computed(OWNER)
    def placed_at(self) -> datetime:
        """When the order was placed."""
        return _bought(self).placed_at

    @computed(OWNER)
    def paid(self) -> Money:
        """What was paid in all."""
        order = _bought(self)
        return Money(amount=Fen(order.paid_fen), currency=order.currency)

    @computed(OWNER)
    def points_earned(self) -> Points:
        """What the order has earned."""
        return Points(_bought(self).points)

    @computed(OWNER)
    def channel(self) -> str | None:
        """The code of the channel, as the shop told it."""
        return _bought(self).channel

    @computed(OWNER)
    def shop(self) -> str | None:
        """The shop, as it told its name or code."""
        return _bought(self).shop

    # Read for a whole page at once, so each order has a small part in the statements.
    @computed(OWNER, cost=Cost(own=1, items=8), versioned=True)
    async def lines(self) -> list[PurchaseLine] | None:
        """What was bought, in the order of the lines' ids."""
        record: PurchaseRecord = view(self)
        lines: list[PurchaseLine] = view(await record.lines())
        return lines

    @computed(OWNER)
    def refunded(self) -> Money:
        """What was given back of it in all."""
        order = _bought(self)
        return Money(amount=Fen(order.refunded_fen), currency=order.currency)

    @computed(OWNER, cost=Cost(own=1, items=2), versioned=True)
    async def refunds(self) -> list[PurchaseRefund] | None:
        """What was given back of it, the oldest first; at most a hundred."""
        record: PurchaseRecord = view(self)
        refunds: list[PurchaseRefund] = view(await record.refunds())
        return refunds

    @computed(OWNER, cost=Cost(own=1, items=4), versioned=True)
    async def notices(self) -> list[OrderNotice] | None:
        """Where it is on its way, the newest first; at most a hundred."""
        record: PurchaseRecord = view(self)
        notices: list[OrderNotice] = view(await record.notices())
        return notices


def _bought(value: object) -> purchases.Purchase:
    record: PurchaseRecord = view(value)
    return record.purchase
