"""Redemptions that race with a merge: what was redeemed is the keeper's, and so are the points."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from importlib import import_module
from uuid import UUID

import pytest

from domain import rewards
from domain.custody import Merge, MergeBecause, merge, part
from domain.errors import RedemptionNotCancellable
from domain.members import ByExternalReference, register_external_members
from domain.paging import PageRequest
from domain.rewards import (
    CancelRedemption,
    CouponStatus,
    Redemption,
    RedemptionStatus,
)
from domain.storage import fetch_all, transaction
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import (
    HOME,
    RULES,
    TEN_OFF,
    cancelled,
    give,
    kept,
    open_counter,
    points,
    redeemed,
    reserve,
    using,
    wallet,
)
from tests.races.contention import Gate

CROWD = 6
KEYS = 3
OFFICE = replace(HOME, street="延安东路 2 号")
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


async def undone(merged: Merge) -> Merge:
    return await transaction(partial(part, merged, by="staff:x", now=NOW))


@pytest.mark.parametrize("parting", [False, True])
async def test_what_the_till_and_the_member_do_meanwhile_is_done_to_what_moved(
    gate: Gate, parting: bool
) -> None:
    """Coupons and places go over, or back, while a shop and the member use them."""
    keeper, loser = await two()
    for number in range(2):
        await redeemed(TEN_OFF, f"k-{number}", member_id=loser)
    used, waiting = await wallet(member_id=loser)
    await reserve(used, "order-1")
    old = await kept(member_id=loser)
    merged = await join(keeper, loser) if parting else None
    owner, before = (loser, keeper) if parting else (keeper, loser)
    # All rows have moved by then.
    statement = "member_interest" if parting else "member_merge"
    await gate.hold(f"LOCK TABLE {statement} IN SHARE MODE")
    moving = asyncio.create_task(undone(merged) if merged else join(keeper, loser))
    await gate.gather(1)
    doing = asyncio.gather(
        rewards.confirm_coupon(using(used, "order-1"), now=NOW),
        reserve(waiting, "order-2"),
        kept(OFFICE, member_id=before, key="a-2"),
        kept(OFFICE, member_id=before, key="a-2"),
        rewards.remove_address(loser, address_id=old.id, now=NOW),
    )
    await gate.open(waiting=6)
    await moving
    done, reserved, added, again, removed = await doing
    assert (done.member_id, done.status) == (owner, CouponStatus.USED)
    assert (reserved.member_id, reserved.status) == (owner, CouponStatus.RESERVED)
    assert {one.code: one.status for one in await wallet(member_id=owner)} == {
        used.code: CouponStatus.USED,
        waiting.code: CouponStatus.RESERVED,
    }
    # Who adds a place as the keeper while the two are parted is the keeper.
    assert (added, removed) == (again, old.id)
    places = {one: [each.place for each in await rewards.addresses(one)] for one in (keeper, loser)}
    assert places == {keeper: [OFFICE], loser: []}


async def test_a_place_that_is_kept_without_the_lock_would_be_nobodys(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: whoever adds a place does not wait for the merge."""
    keeper, loser = await two()

    async def as_named(member_id: UUID) -> UUID:
        return member_id

    addresses = import_module("domain.rewards.addresses")
    monkeypatch.setattr(addresses, "_standing", as_named)
    await gate.hold("LOCK TABLE member_merge IN SHARE MODE")
    moving = asyncio.create_task(join(keeper, loser))
    await gate.gather(1)
    await kept(OFFICE, member_id=loser)
    await gate.open(waiting=1)
    await moving
    assert await rewards.addresses(keeper) == []
