"""Coupons."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import rewards
from domain.rewards import CouponStatus
from resolvers import rewards as resolvers
from schema.connections import KeysetList
from schema.fields import Info, computed, enum_type
from schema.language import spoken
from schema.node import Node, node_type, parse_uuid
from schema.policies import OWNER

COUPONS = KeysetList("coupons", (datetime, UUID))

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


def parse_coupon_key(text: str) -> tuple[UUID, UUID]:
    """The member and the coupon in a coupon's key."""
    member_id, _, coupon_id = text.partition(":")
    return parse_uuid(member_id), parse_uuid(coupon_id)


@node_type(
    policy=OWNER,
    key="key",
    load=resolvers.coupon_node,
    parse=parse_coupon_key,
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

    @computed(OWNER)
    def title(self, info: Info) -> str:
        """What it gives."""
        return spoken(self, "title", info)
