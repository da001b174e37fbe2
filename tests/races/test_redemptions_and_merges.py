"""Redemptions that race with a merge: what was redeemed is the keeper's, and so are the points."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID

import pytest

from domain import rewards
from domain.custody import Merge, MergeBecause, merge
from domain.errors import RedemptionNotCancellable
from domain.members import ByExternalReference, register_external_members
from domain.paging import PageRequest
from domain.rewards import CancelRedemption, Redemption, RedemptionStatus
from domain.storage import fetch_all, transaction
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import (
    RULES,
    TEN_OFF,
    cancelled,
    give,
    open_counter,
    points,
    redeemed,
)
from tests.races.contention import Gate

CROWD = 6
KEYS = 3
HOLD_ACCOUNT = "SELECT member_id FROM points_account WHERE member_id = $1 FOR UPDATE"


async def two() -> tuple[UUID, UUID]:
    await open_counter()
    names = [ByExternalReference("keeper"), ByExternalReference("loser")]
    joined = await register_external_members(names, now=NOW)
    for one in joined.values():
        await give(3_000, member_id=one)
    return joined["keeper"], joined["loser"]


async def join(keeper: UUID, loser: UUID) -> Merge | None:
    because = MergeBecause.STAFF
    return await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=NOW))


@pytest.mark.parametrize("first", [True, False])
async def test_what_is_redeemed_during_a_merge_is_the_keepers(gate: Gate, first: bool) -> None:
    keeper, loser = await two()
    await gate.hold(HOLD_ACCOUNT, loser)
    merging = asyncio.create_task(join(keeper, loser)) if first else None
    if first:
        await gate.gather(1)
    crowd = asyncio.gather(
        *(redeemed(TEN_OFF, f"k-{n % KEYS}", member_id=loser) for n in range(CROWD))
    )
    if merging is None:
        await gate.gather(CROWD)
        merging = asyncio.create_task(join(keeper, loser))
    await gate.open(waiting=CROWD + 1)
    made = await crowd
    assert await merging is not None
    # Each key is one redemption, whose record ever it was then.
    assert len({one.id for one in made}) == KEYS
    owners = await fetch_all("SELECT member_id FROM redemption UNION SELECT member_id FROM coupon")
    assert [row["member_id"] for row in owners] == [keeper]
    page = await rewards.redemptions(keeper, PageRequest(first=10))
    assert {one.id for one in page.items} == {one.id for one in made}
    assert [await points(member_id=one) for one in (keeper, loser)] == [6_000 - 900, 0]
    for number, one in enumerate(page.items):
        await cancelled(one, f"c-{number}")
    assert [await points(member_id=one) for one in (keeper, loser)] == [6_000, 0]


@pytest.mark.parametrize("first", [True, False])
async def test_what_is_cancelled_during_a_merge_comes_back_once(gate: Gate, first: bool) -> None:
    keeper, loser = await two()
    found = await redeemed(TEN_OFF, member_id=loser)
    await gate.hold(HOLD_ACCOUNT, loser)
    merging = asyncio.create_task(join(keeper, loser)) if first else None
    if first:
        await gate.gather(1)
    crowd = asyncio.gather(
        *(cancelled(found, f"c-{n % KEYS}") for n in range(CROWD)), return_exceptions=True
    )
    if merging is None:
        await gate.gather(CROWD)
        merging = asyncio.create_task(join(keeper, loser))
    await gate.open(waiting=CROWD + 1)
    outcomes = await crowd
    assert await merging is not None
    done = [one for one in outcomes if isinstance(one, Redemption)]
    assert {one.status for one in done} == {RedemptionStatus.CANCELLED}
    assert len(done) == 2
    assert sum(isinstance(one, RedemptionNotCancellable) for one in outcomes) == 4
    assert [await points(member_id=one) for one in (keeper, loser)] == [6_000, 0]
    late = CancelRedemption(member_id=keeper, redemption_id=found.id, idempotency_key="late")
    with pytest.raises(RedemptionNotCancellable):
        await rewards.cancel_redemption(late, rules_in_force=RULES, now=NOW)
