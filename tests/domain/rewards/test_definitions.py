"""Rewards are defined once by their code, and changed by staff; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domain import audit, rewards
from domain.errors import InvalidInput, RewardChanged, RewardExists, RewardUnknown
from domain.paging import PageRequest
from domain.rewards import ChangeReward, CouponOff, CouponTerms, CouponValue, Reward, define_rewards
from tests.domain.ledger.commands import NOW, days
from tests.domain.rewards.counter import CLERK, MUG, TEN_OFF, open_counter
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def listed(*, now: datetime = NOW) -> list[Reward]:
    return [*(await rewards.rewards(PageRequest(first=50), now=now)).items]


async def change(reward_id: UUID, version: int, **changes: Any) -> Reward:
    command = ChangeReward(reward_id=reward_id, version=version, changes=changes)
    return await rewards.change_reward(command, by=CLERK, now=NOW + days(1))


async def test_a_reward_is_defined_once() -> None:
    cup = replace(MUG, id=UUID(int=9), code="cup", stock=None)
    await define_rewards([MUG], now=NOW)
    await define_rewards([replace(MUG, id=UUID(int=3), points_price=1), cup], now=NOW + days(1))
    assert [(one.id, one.code, one.points_price, one.stock) for one in await listed()] == [
        (MUG.id, "mug", 500, 10),
        (cup.id, "cup", 500, None),
    ]


async def test_a_page_shows_what_is_open_the_cheapest_first() -> None:
    later = replace(MUG, id=UUID(int=11), code="later", begins_at=NOW + days(1))
    over = replace(MUG, id=UUID(int=12), code="over", ends_at=NOW)
    sold_out = replace(MUG, id=UUID(int=13), code="sold-out", points_price=1, stock=0)
    await open_counter(later, over, sold_out)
    codes = ["sold-out", "draw", "ten-off", "tenth-off", "mug", "seat"]
    assert [one.code for one in await listed()] == codes
    assert [one.code for one in await listed(now=NOW + days(1))] == [*codes, "later"]
    page = await rewards.rewards(PageRequest(first=4), now=NOW)
    rest = await rewards.rewards(PageRequest(first=4, after=page.keys[-1]), now=NOW)
    assert [one.code for one in (*page.items, *rest.items)] == codes
    assert (page.has_next, rest.has_next) == (True, False)


async def test_staff_defines_a_reward_once_and_the_log_tells() -> None:
    made = await rewards.define_reward(MUG, by=CLERK, now=NOW)
    again = await rewards.define_reward(replace(MUG, id=UUID(int=8)), by=CLERK, now=NOW)
    assert made == again
    before = await everything_kept()
    with pytest.raises(RewardExists):
        await rewards.define_reward(replace(TEN_OFF, code="mug"), by=CLERK, now=NOW)
    assert await everything_kept() == before
    page = await audit.entries(PageRequest(first=5))
    assert [(row.action, row.actor, row.target.id) for row in page.items if row.target] == [
        ("reward.define", "staff:clerk", "mug"),
        ("reward.define", "staff:clerk", "mug"),
    ]


async def test_a_change_is_versioned_and_told_with_before_and_after() -> None:
    await open_counter()
    made = await change(MUG.id, 1, points_price=600, stock=3)
    assert (made.version, made.points_price, made.stock, made.title_en) == (2, 600, 3, "Mug")
    assert made in await listed()
    [row] = (await audit.entries(PageRequest(first=1))).items
    assert (row.before, row.after) == (
        '{"points_price":500,"stock":10,"version":1}',
        '{"points_price":600,"stock":3,"version":2}',
    )
    # Nothing new: no new version.
    assert (await change(MUG.id, 2, stock=3)).version == 2
    before = await everything_kept()
    with pytest.raises(RewardChanged) as refused:
        await change(MUG.id, 1, points_price=1)
    assert refused.value.version == 2
    with pytest.raises(RewardUnknown):
        await change(UUID(int=99), 1, points_price=1)
    assert await everything_kept() == before


SHARE = CouponTerms(value=CouponValue(off=CouponOff.SHARE, value=1_001))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points_price": 0}, "points_price"),
        ({"points_price": 2**53}, "points_price"),
        ({"stock": -1}, "stock"),
        ({"stock": 2**31}, "stock"),
        ({"per_member": 0}, "per_member"),
        ({"title_zh": ""}, "title_zh"),
        ({"title_en": "x" * 101}, "title_en"),
        ({"description_en": "x" * 2_001}, "description_en"),
        ({"level_required": "emperor"}, "level_required"),
        ({"begins_at": NOW, "ends_at": NOW}, "ends_at"),
        ({"coupon": TEN_OFF.coupon}, "coupon"),
        ({"kind": "CAR"}, "kind"),
        ({"kind": "COUPON"}, "coupon"),
        ({"kind": "COUPON", "coupon": SHARE}, "coupon.permille_off"),
        ({"kind": "COUPON", "coupon": replace(TEN_OFF.coupon, days=0)}, "coupon.days"),
        ({"code": "a b"}, "code"),
        ({"code": ""}, "code"),
        ({"product_code": "mystery"}, "product_code"),
        ({"product_code": ""}, "product_code"),
        ({"product_code": "p" * 65}, "product_code"),
    ],
    ids=str,
)
async def test_a_reward_that_breaks_a_rule_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await rewards.define_reward(replace(MUG, **changes), by=CLERK, now=NOW)
    assert refused.value.field == tuple(field.split("."))
    assert await listed() == []
