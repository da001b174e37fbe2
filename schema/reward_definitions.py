"""Rewards as staff defines and changes them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import strawberry

from domain import rewards
from domain.access import StaffRole
from domain.errors import InvalidInput
from domain.rewards import CouponOff, CouponTerms, CouponValue, RewardKind
from resolvers import rewards as resolvers
from schema.fields import Info, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import decode_uuid
from schema.policies import staff
from schema.rewards import Reward
from schema.scalars import URL, Fen, Points

DEFINES = staff(StaffRole.MARKETING)


@input_type()
class RewardCouponInput:
    """What the coupons of a reward give: `amountOff` or `permilleOff`, where it is a discount."""

    amount_off: Fen | None = None
    """What one takes off."""

    permille_off: int | None = None
    """How many thousandths of the amount one takes off, 1 to 1,000."""

    amount_min: Fen | None = None
    """The least amount of an order that one is good for."""

    discount_max: Fen | None = None
    """What one takes off at the most."""

    days: int | None = 30
    """Through how many days after that of the redemption one is good, 1 to 3,650."""

    stacks: bool | None = False
    """Whether one may be used for an order beside others."""

    terms_zh: str | None = None
    """What else holds, in Chinese."""

    terms_en: str | None = None
    """What else holds, in English."""


@input_type()
class DefineRewardInput:
    """A new reward."""

    code: str
    """The merchant's own code, for ever."""

    kind: RewardKind
    """What a redemption gives."""

    title_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    title_en: str
    """What it is called in English, 1 to 100 characters."""

    description_zh: str | None = None
    """What it is, in Chinese."""

    description_en: str | None = None
    """What it is, in English."""

    image_url: URL | None = None
    """A picture of it."""

    points_price: Points
    """What one costs, at least 1."""

    stock: int | None = None
    """How many there are; left out for no limit."""

    level_required: str | None = None
    """The code of the level from which on it may be redeemed; left out for everyone."""

    begins_at: datetime | None = None
    """From when on it may be redeemed."""

    ends_at: datetime | None = None
    """The first moment at which it no longer may be."""

    per_member: int | None = None
    """How many one member may have; left out for no limit."""

    coupon: RewardCouponInput | None = None
    """What its coupons give: needed for the kind COUPON, a discount for it alone."""

    product_code: str | None = None
    """The code of the product of the catalogue that it gives; left out where it gives none."""


@input_type()
class ChangeRewardInput:
    """What to change of a reward: what is left out stays, null takes a limit away."""

    reward_id: strawberry.ID
    """Which reward."""

    version: int
    """Where it stood when it was read: whoever is second is refused."""

    title_zh: str | None = strawberry.UNSET
    """What it is called in Chinese."""

    title_en: str | None = strawberry.UNSET
    """What it is called in English."""

    description_zh: str | None = strawberry.UNSET
    """What it is, in Chinese."""

    description_en: str | None = strawberry.UNSET
    """What it is, in English."""

    image_url: URL | None = strawberry.UNSET
    """A picture of it."""

    points_price: Points | None = strawberry.UNSET
    """What one costs from now on."""

    stock: int | None = strawberry.UNSET
    """How many are left from now on."""

    level_required: str | None = strawberry.UNSET
    """The level from which on it may be redeemed."""

    begins_at: datetime | None = strawberry.UNSET
    """From when on it may be redeemed."""

    ends_at: datetime | None = strawberry.UNSET
    """The first moment at which it no longer may be."""

    per_member: int | None = strawberry.UNSET
    """How many one member may have."""

    coupon: RewardCouponInput | None = strawberry.UNSET
    """What its coupons give from now on; those that were given out stay as they are."""

    product_code: str | None = strawberry.UNSET
    """The code of the product of the catalogue that it gives."""


@object_type(policy=DEFINES)
class DefineRewardPayload(Payload):
    """What defining a reward led to."""

    reward: Reward | None = None
    """The reward; null when it was refused."""


@object_type(policy=DEFINES)
class ChangeRewardPayload(Payload):
    """What changing a reward led to."""

    reward: Reward | None = None
    """The reward as it is now; null when it was refused."""


@mutation(DEFINES)
async def define_reward(info: Info, input: DefineRewardInput) -> DefineRewardPayload:
    """Add a reward. The same definition again changes nothing."""
    definition = rewards.RewardDefinition(
        code=input.code,
        kind=input.kind.value,
        title_zh=input.title_zh,
        title_en=input.title_en,
        description_zh=input.description_zh or "",
        description_en=input.description_en or "",
        image_url=input.image_url,
        points_price=input.points_price,
        stock=input.stock,
        level_required=input.level_required,
        begins_at=input.begins_at,
        ends_at=input.ends_at,
        per_member=input.per_member,
        coupon=_terms(input.coupon),
        product_code=input.product_code,
    )
    reward: Reward = view(await resolvers.define_reward(info.context, definition))
    return DefineRewardPayload(reward=reward)


@mutation(DEFINES)
async def change_reward(info: Info, input: ChangeRewardInput) -> ChangeRewardPayload:
    """Change a reward. What was redeemed stays as it is."""
    reward_id = decode_uuid(input.reward_id, "Reward")
    made = await resolvers.change_reward(
        info.context, reward_id, version=input.version, changes=_changes(input)
    )
    return ChangeRewardPayload(reward=view(made))


_NEEDED = frozenset({"title_zh", "title_en", "points_price"})
"""What a reward cannot do without."""


def _changes(input: ChangeRewardInput) -> dict[str, Any]:
    """What is said, by the name of the reward's attribute. Raises InvalidInput."""
    said = {one.name: getattr(input, one.name) for one in fields(input)}
    changes = {
        name: value
        for name, value in said.items()
        if name in rewards.CHANGEABLE and value is not strawberry.UNSET
    }
    for name in _NEEDED & changes.keys():
        if changes[name] is None:
            raise InvalidInput(field=(name,), rule="not null")
    for name in {"description_zh", "description_en"} & changes.keys():
        changes[name] = changes[name] or ""
    if "coupon" in changes:
        changes["coupon"] = _terms(changes["coupon"])
    return changes


def _terms(given: RewardCouponInput | None) -> CouponTerms:
    if given is None:
        return CouponTerms()
    if given.amount_off is not None and given.permille_off is not None:
        raise InvalidInput(field=("coupon",), rule="amountOff or permilleOff, not both")
    off, value = None, 0
    if given.amount_off is not None:
        off, value = CouponOff.AMOUNT, int(given.amount_off)
    elif given.permille_off is not None:
        off, value = CouponOff.SHARE, given.permille_off
    return CouponTerms(
        value=CouponValue(
            off=off,
            value=value,
            amount_min_fen=given.amount_min or 0,
            discount_max_fen=given.discount_max,
        ),
        days=30 if given.days is None else given.days,
        stacks=bool(given.stacks),
        terms_zh=given.terms_zh or "",
        terms_en=given.terms_en or "",
    )
