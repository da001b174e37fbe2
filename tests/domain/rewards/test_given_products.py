"""Rewards that give a product of the catalogue, as statements of other contexts see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain import rewards
from domain.catalogue import CatalogueItem, upsert_products
from domain.errors import InvalidInput
from domain.rewards import ChangeReward
from domain.storage import fetch_all
from tests.domain.ledger.commands import ALICE, NOW
from tests.domain.rewards.counter import CLERK, MUG, cancelled, open_counter, redeemed
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

CUP_ID = UUID(int=7)
CUP = replace(MUG, code="cup", points_price=100, product_code="cup")


async def offered() -> list[tuple[str, datetime | None, datetime | None]]:
    rows = await fetch_all("SELECT product_code, begins_at, ends_at FROM reward_product")
    return sorted((row["product_code"], row["begins_at"], row["ends_at"]) for row in rows)


async def taken() -> list[tuple[UUID, str, datetime]]:
    rows = await fetch_all(
        "SELECT member_id, product_code, redeemed_at FROM redeemed_product ORDER BY redeemed_at"
    )
    return [(row["member_id"], row["product_code"], row["redeemed_at"]) for row in rows]


async def test_what_rewards_give_is_told_with_the_time_they_are_on_offer() -> None:
    await upsert_products([CatalogueItem(code="cup", title="Cup")], now=NOW)
    until = NOW + timedelta(days=1)
    await rewards.define_reward(MUG, by=CLERK, now=NOW)
    assert await offered() == []
    made = await rewards.define_reward(
        replace(CUP, id=CUP_ID, begins_at=NOW, ends_at=until), by=CLERK, now=NOW
    )
    assert (made.product_code, await offered()) == ("cup", [("cup", NOW, until)])
    command = ChangeReward(reward_id=made.id, version=1, changes={"product_code": None})
    assert (await rewards.change_reward(command, by=CLERK, now=NOW)).product_code is None
    assert await offered() == []


async def test_a_product_that_is_not_there_is_refused_and_nothing_changes() -> None:
    await open_counter()
    before = await everything_kept()
    command = ChangeReward(reward_id=MUG.id, version=1, changes={"product_code": "cup"})
    with pytest.raises(InvalidInput) as refused:
        await rewards.change_reward(command, by=CLERK, now=NOW)
    assert refused.value.field == ("product_code",)
    assert await everything_kept() == before


async def test_who_redeemed_a_product_is_told_until_it_is_cancelled() -> None:
    await upsert_products([CatalogueItem(code="cup", title="Cup")], now=NOW)
    await open_counter(replace(CUP, id=CUP_ID))
    later = NOW + timedelta(minutes=5)
    await redeemed(MUG, "k-0")
    first = await redeemed(replace(CUP, id=CUP_ID), "k-1")
    await redeemed(replace(CUP, id=CUP_ID), "k-2", now=later)
    assert await taken() == [(ALICE, "cup", NOW), (ALICE, "cup", later)]
    await cancelled(first, now=later)
    assert await taken() == [(ALICE, "cup", later)]
