"""Rewards, and the coupons of a member."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import rewards
from domain.rewards import CouponOff, CouponStatus, RewardKind
from resolvers import rewards as resolvers
from schema.connections import After, Connection, First, KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, object_type, view
from schema.language import spoken
from schema.node import Node, encode_global_id, node_type, parse_uuid
from schema.policies import OWNER, PUBLIC
from schema.scalars import URL, Fen, Points
from schema.tiers import Level

REWARDS = KeysetList("rewards", (int, UUID))
COUPONS = KeysetList("coupons", (datetime, UUID))

enum_type(RewardKind)
enum_type(
    CouponStatus,
    descriptions={
        "ACTIVE": "It may be used.",
        "RESERVED": "A shop has set it aside for an order.",
        "USED": "It was used.",
        "EXPIRED": "It was not used in time.",
        "REVOKED": "It was taken back, for example because its purchase was refunded.",
    },
)


@object_type(policy=PUBLIC)
class RewardCoupon:
    """The coupons that a reward gives."""

    days: int
    """Through how many days after that of the redemption they are good."""

    stacks: bool
    """Whether one may be used for an order beside others."""

    @computed(PUBLIC)
    def amount_off(self) -> Fen | None:
        """What one takes off; null where it takes off a share, or nothing."""
        terms: rewards.CouponTerms = view(self)
        return Fen(terms.value.value) if terms.value.off is CouponOff.AMOUNT else None

    @computed(PUBLIC)
    def permille_off(self) -> int | None:
        """How many thousandths of the amount one takes off; null where it takes off an amount."""
        terms: rewards.CouponTerms = view(self)
        return terms.value.value if terms.value.off is CouponOff.SHARE else None

    @computed(PUBLIC)
    def amount_min(self) -> Fen:
        """The least amount of an order that one is good for."""
        terms: rewards.CouponTerms = view(self)
        return Fen(terms.value.amount_min_fen)

    @computed(PUBLIC)
    def discount_max(self) -> Fen | None:
        """What one takes off at the most; null for no limit but the amount."""
        terms: rewards.CouponTerms = view(self)
        most = terms.value.discount_max_fen
        return None if most is None else Fen(most)

    @computed(PUBLIC)
    def terms(self, info: Info) -> str:
        """What else holds, in words; empty where nothing does."""
        return spoken(self, "terms", info)


@object_type(policy=PUBLIC)
class Reward:
    """What points buy."""

    code: str
    """The merchant's own code, stable."""

    kind: RewardKind
    """What a redemption gives."""

    image_url: URL | None
    """A picture of it."""

    points_price: Points
    """What one costs."""

    begins_at: datetime | None
    """The first moment at which it may be redeemed; null where it has no beginning."""

    ends_at: datetime | None
    """The first moment at which it no longer may be; null where it has no end."""

    per_member: int | None
    """How many one member may have; null for no limit."""

    product_code: str | None
    """The merchant's own code of the product that it gives; null where it gives none."""

    version: int
    """Grows when staff changes the reward; `changeReward` names it."""

    @computed(PUBLIC)
    def id(self) -> strawberry.ID:
        """The id, opaque, for `redeemReward`."""
        reward: rewards.Reward = view(self)
        return encode_global_id("Reward", reward.id)

    @computed(PUBLIC)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(self, "title", info)

    @computed(PUBLIC)
    def description(self, info: Info) -> str:
        """What it is."""
        return spoken(self, "description", info)

    # Redemptions of others change it, without an event that an ETag would know of: asynchronous,
    # so that no answer with it has one.
    @computed(PUBLIC, cost=Cost(own=1))
    async def stock(self) -> int | None:
        """How many are left; null for no limit."""
        reward: rewards.Reward = view(self)
        return reward.stock

    # The levels are read once for a whole page.
    @computed(PUBLIC, cost=Cost(own=1), versioned=True)
    async def level_required(self, info: Info) -> Level | None:
        """The level from which on it may be redeemed; null for everyone."""
        reward: rewards.Reward = view(self)
        level: Level | None = view(await resolvers.level(info.context, reward.level_required))
        return level

    @computed(PUBLIC)
    def coupon(self) -> RewardCoupon | None:
        """The coupons that it gives; null for a gift."""
        reward: rewards.Reward = view(self)
        coupon: RewardCoupon = view(reward.coupon)
        return None if reward.kind is RewardKind.GIFT else coupon


def parse_own_key(text: str) -> tuple[UUID, UUID]:
    """The member, and what is the member's, in the key of a coupon or of a redemption."""
    member_id, _, own_id = text.partition(":")
    return parse_uuid(member_id), parse_uuid(own_id)


@node_type(
    policy=OWNER,
    key="key",
    load=resolvers.coupon_node,
    parse=parse_own_key,
    reads=rewards.Coupon,
)
class Coupon(Node):
    """A coupon of a member."""

    code: str
    """What is shown to the shop; it cannot be guessed."""

    status: CouponStatus
    """Where it stands."""

    expires_at: datetime
    """The first moment at which it can no longer be used."""

    stacks: bool
    """Whether it may be used for an order beside others."""

    @computed(OWNER)
    def title(self, info: Info) -> str:
        """What it gives."""
        return spoken(self, "title", info)

    @computed(OWNER)
    def terms(self, info: Info) -> str:
        """What else holds, in words; empty where nothing does."""
        return spoken(self, "terms", info)


async def list_rewards(
    info: Info, first: First = 20, after: After = None
) -> Connection[Reward] | None:
    """What may be redeemed now, the cheapest first; what is sold out has a `stock` of 0."""
    request = REWARDS.request(first=first, after=after)
    return REWARDS.connection(await resolvers.rewards_page(info.context, request), request)
