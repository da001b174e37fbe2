"""Redemptions: points become a reward, which is sent, used, or taken back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import rewards
from domain.rewards import QUANTITY_MAX, RedemptionStatus, ShipmentStatus
from resolvers import redemptions as resolvers
from resolvers.redemptions import RedemptionRecord
from schema.addresses import SENDS, PostalAddress
from schema.connections import KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.ledger import LedgerEntry
from schema.mutations import Payload, mutation
from schema.node import Node, decode_own_uuid, decode_uuid, encode_global_id, node_type
from schema.policies import OWNER
from schema.rewards import Coupon, Reward, parse_own_key
from schema.scalars import Points

REDEMPTIONS = KeysetList("redemptions", (datetime, UUID))
QUEUE = KeysetList("redemption-queue", (datetime, UUID))

enum_type(RedemptionStatus)
enum_type(ShipmentStatus)


@object_type(policy=OWNER | SENDS)
class Shipment:
    """The parcel of a gift."""

    status: ShipmentStatus
    """Where it is."""

    place: PostalAddress | None
    """Where it goes; null while nobody has said."""

    carrier: str | None
    """Who carries it; null until it was sent."""

    number: str | None
    """The carrier's number, for tracking; null until it was sent."""

    shipped_at: datetime | None
    """When it was handed to the carrier."""

    delivered_at: datetime | None
    """When it arrived."""


@node_type(
    policy=OWNER,
    key="key",
    load=resolvers.redemption_node,
    parse=parse_own_key,
    reads=RedemptionRecord,
)
class Redemption(Node):
    """An exchange of points for a reward."""

    status: RedemptionStatus
    """Where it stands."""

    reward: Reward
    """What was redeemed, as it is offered now."""

    quantity: int
    """How many."""

    points_spent: Points
    """What they cost."""

    redeemed_at: datetime
    """When."""

    shipment: Shipment | None
    """The parcel; null for what is no gift."""

    # Coupons and entries are read for a whole page at once.
    @computed(OWNER, cost=Cost(own=1, items=QUANTITY_MAX), versioned=True)
    async def coupons(self, info: Info) -> list[Coupon] | None:
        """The coupons that it gave; empty for a gift."""
        record: RedemptionRecord = view(self)
        coupons: list[Coupon] = view(await record.coupons(now=info.context.now))
        return coupons

    @computed(OWNER, cost=Cost(own=1), versioned=True)
    async def entry(self) -> LedgerEntry | None:
        """The entry in the journal that spent the points."""
        record: RedemptionRecord = view(self)
        entry: LedgerEntry | None = view(await record.entry())
        return entry


@object_type(policy=SENDS)
class StaffRedemption:
    """A redemption as those see it who send gifts."""

    status: RedemptionStatus
    """Where it stands."""

    reward: Reward
    """What was redeemed."""

    quantity: int
    """How many."""

    redeemed_at: datetime
    """When."""

    shipment: Shipment | None
    """The parcel; null for what is no gift."""

    @computed(SENDS)
    def id(self) -> strawberry.ID:
        """The id, for `shipRedemption` and `deliverRedemption`."""
        found: rewards.Redemption = view(self)
        return encode_global_id("Redemption", found.key)

    @computed(SENDS)
    def member_id(self) -> strawberry.ID:
        """The global id of the member."""
        found: rewards.Redemption = view(self)
        return encode_global_id("Member", found.member_id)

    @computed(SENDS)
    def recipient_phone(self) -> str | None:
        """The whole number that the carrier calls; null while nobody has said where to send it."""
        found: rewards.Redemption = view(self)
        place = found.shipment.place if found.shipment else None
        return None if place is None else place.phone


@input_type()
class RedeemRewardInput:
    """What to redeem."""

    reward_id: strawberry.ID
    """The reward."""

    quantity: int | None = 1
    """How many, 1 to 20."""

    address_id: strawberry.ID | None = None
    """Where to send a gift; without it the redemption waits for `setRedemptionAddress`."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class CancelRedemptionInput:
    """What to take back."""

    redemption_id: strawberry.ID
    """The redemption."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class SetRedemptionAddressInput:
    """Where to send a gift."""

    redemption_id: strawberry.ID
    """The redemption."""

    address_id: strawberry.ID
    """An address of the member's."""


@input_type()
class ShipRedemptionInput:
    """A gift that was handed to a carrier."""

    redemption_id: strawberry.ID
    """The redemption."""

    carrier: str
    """Who carries it: 1 to 64 characters."""

    number: str
    """The carrier's number, for tracking: 1 to 64 characters."""


@input_type()
class DeliverRedemptionInput:
    """A gift that has arrived."""

    redemption_id: strawberry.ID
    """The redemption."""


@object_type(policy=OWNER)
class RedeemRewardPayload(Payload):
    """What redeeming led to."""

    redemption: Redemption | None = None
    """The redemption; null when it was refused."""


@object_type(policy=OWNER)
class CancelRedemptionPayload(Payload):
    """What taking a redemption back led to."""

    redemption: Redemption | None = None
    """The redemption, which is cancelled; null when it was refused."""

    entry: LedgerEntry | None = None
    """The entry that gave the points back; null when it was refused."""


@object_type(policy=OWNER)
class SetRedemptionAddressPayload(Payload):
    """What saying where to send a gift led to."""

    redemption: Redemption | None = None
    """The redemption; null when it was refused."""


@object_type(policy=SENDS)
class ShipRedemptionPayload(Payload):
    """What sending a gift led to."""

    redemption: StaffRedemption | None = None
    """The redemption; null when it was refused."""


@object_type(policy=SENDS)
class DeliverRedemptionPayload(Payload):
    """What the arrival of a gift led to."""

    redemption: StaffRedemption | None = None
    """The redemption; null when it was refused."""


@mutation(OWNER)
async def redeem_reward(info: Info, input: RedeemRewardInput) -> RedeemRewardPayload:
    """Spend points on a reward: its coupons are good at once, a gift is sent."""
    address_id = None
    if input.address_id is not None:
        _, address_id = decode_own_uuid(input.address_id, "Address")
    command = rewards.RedeemReward(
        member_id=info.context.require_member(),
        reward_id=decode_uuid(input.reward_id, "Reward"),
        quantity=1 if input.quantity is None else input.quantity,
        address_id=address_id,
        idempotency_key=input.idempotency_key,
    )
    redemption: Redemption = view(await resolvers.redeem_reward(info.context, command))
    return RedeemRewardPayload(redemption=redemption)


@mutation(OWNER)
async def cancel_redemption(info: Info, input: CancelRedemptionInput) -> CancelRedemptionPayload:
    """Take back a redemption of which nothing was used and nothing sent."""
    _, redemption_id = decode_own_uuid(input.redemption_id, "Redemption")
    command = rewards.CancelRedemption(
        member_id=info.context.require_member(),
        redemption_id=redemption_id,
        idempotency_key=input.idempotency_key,
    )
    made = await resolvers.cancel_redemption(info.context, command)
    entry: LedgerEntry | None = view(await resolvers.entry_back(made))
    return CancelRedemptionPayload(redemption=view(made), entry=entry)


@mutation(OWNER)
async def set_redemption_address(
    info: Info, input: SetRedemptionAddressInput
) -> SetRedemptionAddressPayload:
    """Say where a gift is to be sent, or say it anew as long as it was not sent."""
    _, redemption_id = decode_own_uuid(input.redemption_id, "Redemption")
    _, address_id = decode_own_uuid(input.address_id, "Address")
    made = await resolvers.set_redemption_address(
        info.context, redemption_id, address_id=address_id
    )
    return SetRedemptionAddressPayload(redemption=view(made))


@mutation(SENDS)
async def ship_redemption(info: Info, input: ShipRedemptionInput) -> ShipRedemptionPayload:
    """Note that a gift was handed to a carrier."""
    member_id, redemption_id = decode_own_uuid(input.redemption_id, "Redemption")
    command = rewards.ShipRedemption(
        member_id=member_id,
        redemption_id=redemption_id,
        carrier=input.carrier,
        number=input.number,
    )
    made = await resolvers.ship_redemption(info.context, command)
    return ShipRedemptionPayload(redemption=view(made))


@mutation(SENDS)
async def deliver_redemption(info: Info, input: DeliverRedemptionInput) -> DeliverRedemptionPayload:
    """Note that a gift has arrived."""
    member_id, redemption_id = decode_own_uuid(input.redemption_id, "Redemption")
    made = await resolvers.deliver_redemption(info.context, member_id, redemption_id=redemption_id)
    return DeliverRedemptionPayload(redemption=view(made))
