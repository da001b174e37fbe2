"""Rewards as they are offered: pages of them, and one by its id."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.paging import Page, PageRequest, page_of
from domain.rewards.rules import CouponOff, CouponValue, RewardKind
from domain.storage import Row, fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponTerms:
    """The coupons of a reward: what they take off, and through how many days after that of issue.

    One that `stacks` may be used for an order beside others.
    """

    value: CouponValue = field(default_factory=CouponValue)
    days: int = 30
    stacks: bool = False
    terms_zh: str = ""
    terms_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """A reward; `stock` and `per_member` are None where they are not limited.

    It may be redeemed from `begins_at` until `ends_at`, which is exclusive. What it gives may be a
    product of the catalogue: `product_code`. Two that differ in what is left alone are equal.
    """

    id: UUID
    code: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    image_url: str | None
    kind: RewardKind
    points_price: int
    stock: int | None = field(compare=False)
    level_required: str | None
    begins_at: datetime | None
    ends_at: datetime | None
    per_member: int | None
    version: int
    coupon: CouponTerms
    product_code: str | None

    def is_open(self, now: datetime) -> bool:
        """Whether it may be redeemed at this moment."""
        begun = self.begins_at is None or self.begins_at <= now
        return begun and (self.ends_at is None or now < self.ends_at)


REWARD_COLUMNS: Final = (
    "id, code, title_zh, title_en, description_zh, description_en, image_url, kind, points_price,"
    " stock, level_required, begins_at, ends_at, per_member, version, coupon_days, coupon_off,"
    " coupon_value, amount_min_fen, discount_max_fen, stacks, terms_zh, terms_en, product_code"
)

_OPEN: Final = f"""
    SELECT {REWARD_COLUMNS} FROM reward
    WHERE (begins_at IS NULL OR begins_at <= $1) AND (ends_at IS NULL OR ends_at > $1)
      AND (points_price > $2 OR points_price = $2 AND id > $3)
    ORDER BY points_price, id
    LIMIT $4
"""


async def rewards(page: PageRequest, *, now: datetime) -> Page[Reward]:
    """A page of what may be redeemed now, the cheapest first, by the key (points_price, id).

    What is sold out is shown, with a stock of 0.
    """
    price, after = page.after or (0, UUID(int=0))
    rows = await fetch_all(_OPEN, now, price, after, page.limit)
    found = [reward_of(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.points_price, one.id))


async def rewards_by_ids(reward_ids: Collection[UUID]) -> Mapping[UUID, Reward]:
    """Rewards by their ids, whether they are open or not; what is unknown is left out."""
    if not reward_ids:
        return {}
    rows = await fetch_all(
        f"SELECT {REWARD_COLUMNS} FROM reward WHERE id = ANY($1::uuid[])", sorted(set(reward_ids))
    )
    return {row["id"]: reward_of(row) for row in rows}


async def all_rewards() -> list[Reward]:
    """Every reward, whether it is open or not, by code."""
    return [
        reward_of(row)
        for row in await fetch_all(f"SELECT {REWARD_COLUMNS} FROM reward ORDER BY code")
    ]


async def stock_left(reward_ids: Collection[UUID]) -> Mapping[UUID, int | None]:
    """How many are left of each, None where it is not limited."""
    rows = await fetch_all(
        "SELECT id, stock FROM reward WHERE id = ANY($1::uuid[])", sorted(set(reward_ids))
    )
    return {row["id"]: row["stock"] for row in rows}


def reward_of(row: Row) -> Reward:
    """A reward from its row (REWARD_COLUMNS)."""
    return Reward(
        id=row["id"],
        code=row["code"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        description_zh=row["description_zh"],
        description_en=row["description_en"],
        image_url=row["image_url"],
        kind=RewardKind(row["kind"]),
        points_price=row["points_price"],
        stock=row["stock"],
        level_required=row["level_required"],
        begins_at=row["begins_at"],
        ends_at=row["ends_at"],
        per_member=row["per_member"],
        version=row["version"],
        coupon=CouponTerms(
            value=value_of(row),
            days=row["coupon_days"],
            stacks=row["stacks"],
            terms_zh=row["terms_zh"],
            terms_en=row["terms_en"],
        ),
        product_code=row["product_code"],
    )


def value_of(row: Row) -> CouponValue:
    """What a coupon takes off, from the row of the coupon or of its reward."""
    return CouponValue(
        off=CouponOff(row["coupon_off"]) if row["coupon_off"] else None,
        value=row["coupon_value"],
        amount_min_fen=row["amount_min_fen"],
        discount_max_fen=row["discount_max_fen"],
    )
