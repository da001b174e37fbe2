"""Rewards are defined once by their code; on both databases."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError

from domain.rewards import RewardDefinition, define_rewards
from domain.rewards.models import Reward
from tests.domain.ledger.commands import NOW, days

pytestmark = pytest.mark.usefixtures("database")

MUG = RewardDefinition(
    id=UUID(int=1),
    code="mug",
    title_zh="杯子",
    title_en="mug",
    description_zh="",
    description_en="",
    kind="GIFT",
    points_price=500,
    stock=10,
    ends_at=NOW + days(30),
)


async def test_a_reward_is_defined_once() -> None:
    cup = replace(MUG, id=UUID(int=2), code="cup", stock=None, ends_at=None)
    await define_rewards([MUG], now=NOW)
    await define_rewards([replace(MUG, id=UUID(int=3), points_price=1), cup], now=NOW + days(1))
    found = (
        await Reward.all()
        .order_by("code")
        .values_list("id", "code", "points_price", "stock", "ends_at", "created_at")
    )
    assert [tuple(row) for row in found] == [
        (cup.id, "cup", 500, None, None, NOW + days(1)),
        (MUG.id, "mug", 500, 10, NOW + days(30), NOW),
    ]


async def test_a_reward_that_breaks_a_rule_is_refused() -> None:
    for wrong in (
        replace(MUG, kind="CAR"),
        replace(MUG, points_price=0),
        replace(MUG, points_price=2**53),
        replace(MUG, stock=-1),
        replace(MUG, code=""),
    ):
        with pytest.raises(IntegrityError):
            await define_rewards([wrong], now=NOW)
    assert await Reward.all().count() == 0
