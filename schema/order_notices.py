"""Order notices: what shops tell of orders on their way."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain import purchases
from domain.errors import ErrorCode
from domain.purchases import OrderNoticeKind, ReceiptStatus
from resolvers import order_notices as resolvers
from schema.cost import MUTATION_COST, Cost
from schema.fields import Info, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.purchases import WRITES_PURCHASES


@input_type()
class OrderNoticeInput:
    """Where an order is on its way."""

    external_id: strawberry.ID
    """The shop's own id of the notice: recorded once, whatever batch it comes in."""

    order_external_id: strawberry.ID
    """The shop's own id of the order, as it recorded it."""

    kind: OrderNoticeKind
    """What happened."""

    at: datetime
    """When it happened; not in the future."""

    carrier: str | None = None
    """Who carries it, 1 to 64 characters."""

    number: str | None = None
    """The carrier's number, for tracking, 1 to 64 characters."""


@input_type()
class RecordOrderNoticesInput:
    """A batch of order notices."""

    batch_id: strawberry.ID
    """The shop's own id of the batch: sent again, it gives the same answer."""

    notices: list[OrderNoticeInput]
    """1 to 500 notices."""


@object_type(policy=WRITES_PURCHASES)
class OrderNoticeReceipt:
    """What became of one notice."""

    index: int
    """Its place in the batch, from 0."""

    external_id: strawberry.ID
    """The shop's own id of the notice."""

    status: ReceiptStatus
    """What became of it."""

    code: ErrorCode | None
    """Why it was rejected; null otherwise."""


@object_type(policy=WRITES_PURCHASES)
class OrderNoticeBatch:
    """The answer to a batch: one receipt per notice, in their order."""

    id: strawberry.ID
    """The shop's own id of the batch."""

    replayed: bool
    """Whether the batch had been answered before, and this is that answer."""

    receipts: list[OrderNoticeReceipt]
    """What became of each notice."""


@object_type(policy=WRITES_PURCHASES)
class RecordOrderNoticesPayload(Payload):
    """What recording a batch led to."""

    batch: OrderNoticeBatch | None = None
    """The answer; null when the batch was refused whole."""


@mutation(
    WRITES_PURCHASES,
    cost=Cost(own=MUTATION_COST, items="input.notices", of=("batch.receipts",), each=1),
)
async def record_order_notices(
    info: Info, input: RecordOrderNoticesInput
) -> RecordOrderNoticesPayload:
    """Tell members where their orders are on their way. Not all or nothing."""
    notices = [
        purchases.OrderNotice(
            external_id=one.external_id,
            order_external_id=one.order_external_id,
            kind=one.kind,
            at=one.at,
            carrier=one.carrier,
            number=one.number,
        )
        for one in input.notices
    ]
    batch: OrderNoticeBatch = view(
        await resolvers.record_order_notices(info.context, batch_id=input.batch_id, notices=notices)
    )
    return RecordOrderNoticesPayload(batch=batch)
