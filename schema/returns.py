"""Returns: refunds that shops record, and what one would come to."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import strawberry

from domain import returns, tiers
from domain.errors import ErrorCode, Refusal
from domain.purchases import ReceiptStatus
from domain.tiers import Period, PerkKind
from resolvers import returns as resolvers
from resolvers.returns import RefundPreviewRecord
from schema.cost import MUTATION_COST, STATEMENT_COST, Cost
from schema.errors import refusal_text
from schema.faults import CodedError, FaultCode
from schema.fields import Info, computed, field, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import decode_own_uuid
from schema.policies import OWNER
from schema.purchases import WRITES_PURCHASES
from schema.rewards import Coupon
from schema.scalars import Fen, Points
from schema.tiers import Level

# A preview reads the order, the account and the levels: some twenty statements at most.
PREVIEW: Final = Cost(own=20 * STATEMENT_COST)


@input_type()
class RefundLineInput:
    """What came back of one line of an order."""

    line_id: strawberry.ID
    """The shop's own id of the line, as it stands in the order."""

    quantity: int
    """How many pieces came back; 0 where only money did."""

    amount: Fen
    """How much of the refund is for this line."""


@input_type()
class RefundInput:
    """Money that was given back for an order."""

    external_id: strawberry.ID
    """The shop's own id of the refund: recorded once, whatever batch it comes in."""

    order_external_id: strawberry.ID
    """The shop's own id of the order, as it recorded it."""

    amount: Fen
    """How much was given back, in all that this refund is of: at least 1."""

    refunded_at: datetime
    """When it was given back: not before the order was placed, and not in the future."""

    lines: list[RefundLineInput] | None = None
    """For which lines, at most 200. What is of no line is of all of them, pro rata."""


@input_type()
class RecordRefundsInput:
    """A batch of refunds."""

    batch_id: strawberry.ID
    """The shop's own id of the batch: sent again, it gives the same answer."""

    refunds: list[RefundInput]
    """1 to 500 refunds."""


@object_type(policy=WRITES_PURCHASES)
class RefundReceipt:
    """What became of one refund."""

    index: int
    """Its place in the batch, from 0."""

    external_id: strawberry.ID
    """The shop's own id of the refund."""

    status: ReceiptStatus
    """What became of it."""

    code: ErrorCode | None
    """Why it was rejected; null otherwise."""

    points_taken: Points
    """How many points went with it when it was recorded."""

    debt_after: Points
    """How many points the member then owed: what was spent already, and earned no more."""


@object_type(policy=WRITES_PURCHASES)
class RefundBatch:
    """The answer to a batch: one receipt per refund, in their order."""

    id: strawberry.ID
    """The shop's own id of the batch."""

    replayed: bool
    """Whether the batch had been answered before, and this is that answer."""

    receipts: list[RefundReceipt]
    """What became of each refund."""


@object_type(policy=WRITES_PURCHASES)
class RecordRefundsPayload(Payload):
    """What recording a batch led to."""

    batch: RefundBatch | None = None
    """The answer; null when the batch was refused whole."""


@mutation(
    WRITES_PURCHASES,
    cost=Cost(own=MUTATION_COST, items="input.refunds", of=("batch.receipts",), each=1),
)
async def record_refunds(info: Info, input: RecordRefundsInput) -> RecordRefundsPayload:
    """Record money that was given back, so that what it earned goes with it. Not all or nothing."""
    refunds = [_refund(one) for one in input.refunds]
    batch: RefundBatch = view(
        await resolvers.record_refunds(info.context, batch_id=input.batch_id, refunds=refunds)
    )
    return RecordRefundsPayload(batch=batch)


def _refund(refund: RefundInput) -> returns.Refund:
    return returns.Refund(
        external_id=refund.external_id,
        order_external_id=refund.order_external_id,
        amount_fen=refund.amount,
        refunded_at=refund.refunded_at,
        lines=[
            returns.RefundLine(line_id=line.line_id, quantity=line.quantity, amount_fen=line.amount)
            for line in refund.lines or ()
        ],
    )


@object_type(policy=OWNER)
class LostPerk:
    """A perk that the member would have no more."""

    code: str
    """The merchant's own code of the perk; `tier { perks }` tells of it."""


@object_type(policy=OWNER)
class PerkTerms:
    """What a perk gives at one level."""

    value: str
    """How much or what, to be read by `kind`."""

    quota: int | None
    """How often it may be used per `period`; null for no limit."""

    @computed(OWNER)
    def kind(self) -> PerkKind:
        """What it gives."""
        terms: tiers.PerkTerms = view(self)
        return PerkKind(terms.kind)

    @computed(OWNER)
    def period(self) -> Period | None:
        """After what the quota is full again; null for no limit."""
        terms: tiers.PerkTerms = view(self)
        return None if terms.period is None else Period(terms.period)


@object_type(policy=OWNER)
class ReducedPerk:
    """A perk that the member would still have, and that would give less, or less often."""

    code: str
    """The merchant's own code of the perk; `tier { perks }` tells of it."""

    before: PerkTerms
    """What it gives now."""

    after: PerkTerms
    """What it would give then."""


@object_type(policy=OWNER)
class RefundPreview:
    """What giving money back would do, as of now: what the refund itself would do."""

    points_taken: Points
    """How many points would go with it."""

    debt_after: Points
    """How many points the member would owe then."""

    level_after: Level | None
    """The level that the member would have; null while the programme has none."""

    coupons_revoked: list[Coupon] = field(OWNER, cost=Cost(items=20))
    """The unused coupons that would be taken back, so that fewer points are owed."""

    @computed(OWNER, cost=Cost(items=10))
    def perks_lost(self) -> list[LostPerk]:
        """The perks that the level before gives, and the level after does not."""
        record: RefundPreviewRecord = view(self)
        return [LostPerk(code=code) for code in record.perks.lost]

    @computed(OWNER, cost=Cost(items=10))
    def perks_reduced(self) -> list[ReducedPerk]:
        """The perks that both levels give, and of which the level after gives less, or another."""
        record: RefundPreviewRecord = view(self)
        return [view(one) for one in record.perks.reduced]


async def preview_of(info: Info, *, order_id: str, amount: int) -> RefundPreview | None:
    """The preview. Raises CodedError for a text that is no order's id, and an amount too large."""
    key = decode_own_uuid(order_id, "Purchase")
    try:
        found = await resolvers.refund_preview(info.context, key, amount_fen=amount)
    except Refusal as refusal:
        message = refusal_text(refusal, info.context.language)
        raise CodedError(
            FaultCode.BAD_USER_INPUT, message, argument="amount", reason=refusal.code.value
        ) from refusal
    preview: RefundPreview | None = view(found)
    return preview
