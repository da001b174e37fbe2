"""Redemptions, coupons and addresses of two records that are one person's; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest

from domain import rewards
from domain.custody import Merge, MergeBecause, merge, part
from domain.errors import (
    IdempotencyConflict,
    RedemptionNotCancellable,
    RedemptionUnknown,
    RewardLimitReached,
)
from domain.ledger import NEVER, entry, lots_of
from domain.members import ByExternalReference, register_external_members
from domain.outbox import stream
from domain.paging import PageRequest
from domain.rewards import (
    CouponStatus,
    Redemption,
    RedemptionStatus,
    ShipRedemption,
)
from domain.storage import transaction
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import (
    CLERK,
    DRAW,
    HOME,
    MUG,
    TEN_OFF,
    cancelled,
    give,
    kept,
    open_counter,
    points,
    redeemed,
    reserve,
    stock,
    wallet,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

SOON = datetime(2026, 3, 9, 16, tzinfo=UTC)


async def two() -> tuple[UUID, UUID]:
    """A keeper with 100 points, and a loser with a thousand, 200 of which expire soon."""
    await open_counter()
    names = [ByExternalReference("keeper"), ByExternalReference("loser")]
    joined = await register_external_members(names, now=NOW)
    keeper, loser = joined["keeper"], joined["loser"]
    await give(100, member_id=keeper)
    await give(200, member_id=loser, expires=SOON)
    await give(800, member_id=loser)
    return keeper, loser


async def join(keeper: UUID, loser: UUID) -> Merge:
    because = MergeBecause.STAFF
    made = await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=NOW))
    assert made is not None
    return made


async def listed(member_id: UUID) -> list[UUID]:
    page = await rewards.redemptions(member_id, PageRequest(first=10))
    return [one.id for one in page.items]


def as_of(keeper: UUID, found: Redemption) -> Redemption:
    """The redemption as the keeper names it."""
    return replace(found, member_id=keeper)


async def test_what_the_other_record_had_is_the_keepers() -> None:
    keeper, loser = await two()
    mug = await redeemed(MUG, member_id=loser)
    ten = await redeemed(TEN_OFF, "k-2", member_id=loser)
    await kept(member_id=loser)
    [coupon] = await wallet(member_id=loser)
    await join(keeper, loser)
    assert (await listed(keeper), await listed(loser)) == ([ten.id, mug.id], [])
    assert [one.place for one in await rewards.addresses(keeper)] == [HOME]
    assert [one.code for one in await wallet(member_id=keeper)] == [coupon.code]
    assert (await points(member_id=keeper), await points(member_id=loser)) == (300, 0)
    # The shop has no word of it: the code is as good as before.
    assert (await reserve(coupon)).key == f"{keeper}:{coupon.id}"


async def test_points_of_the_other_records_redemption_come_back_to_the_keeper() -> None:
    keeper, loser = await two()
    mug = await redeemed(MUG, member_id=loser)
    ten = await redeemed(TEN_OFF, "k-2", member_id=loser)
    await join(keeper, loser)
    assert await points(member_id=keeper) == 300
    made = await cancelled(as_of(keeper, mug))
    assert (made.member_id, made.paid_by, made.status) == (
        keeper,
        loser,
        RedemptionStatus.CANCELLED,
    )
    # The entry is undone in the journal in which it stands, and its points go over at once.
    assert made.given_back_seq is not None
    given = await entry(loser, seq=made.given_back_seq)
    assert given is not None
    assert (given.kind.value, given.amount, given.reverses) == ("REVERSAL", 500, mug.entry_seq)
    assert (await points(member_id=keeper), await points(member_id=loser)) == (800, 0)
    over = [await lots_of(keeper, [seq], now=NOW) for seq in (2, 3)]
    lots = {(lot.points, lot.expires_at) for one in over for each in one.values() for lot in each}
    assert lots == {(200, NEVER), (200, SOON), (300, NEVER)}
    assert await points(member_id=keeper, now=SOON) == 600
    assert await stock(MUG) == 10

    made = await cancelled(as_of(keeper, ten), "c-2")
    assert await points(member_id=keeper) == 1_100
    assert [one.status for one in await wallet(member_id=keeper)] == [CouponStatus.REVOKED]
    told = [one.kind for one in await stream(keeper, after=0, limit=50)]
    assert told.count("RedemptionCancelled") == 2


async def test_it_is_taken_back_once_by_whichever_id() -> None:
    keeper, loser = await two()
    mug = await redeemed(MUG, member_id=loser)
    await join(keeper, loser)
    # A mini-program that was open on the other phone has the id of the record that is no more.
    made = await cancelled(mug)
    assert made.member_id == keeper
    before = await everything_kept()
    assert await cancelled(mug) == made
    with pytest.raises(RedemptionNotCancellable):
        await cancelled(as_of(keeper, mug), "c-2")
    assert await everything_kept() == before
    assert await points(member_id=keeper) == 1_100


async def test_staff_sends_what_the_other_record_redeemed() -> None:
    keeper, loser = await two()
    mug = await redeemed(MUG, member_id=loser, address_id=(await kept(member_id=loser)).id)
    await join(keeper, loser)
    # The queue was read before the merge.
    sent = ShipRedemption(member_id=loser, redemption_id=mug.id, carrier="顺丰", number="SF1")
    made = await rewards.ship_redemption(sent, by=CLERK, now=NOW)
    assert (made.member_id, made.status) == (keeper, RedemptionStatus.SHIPPED)
    made = await rewards.deliver_redemption(loser, redemption_id=mug.id, by=CLERK, now=NOW)
    assert (made.member_id, made.status) == (keeper, RedemptionStatus.DELIVERED)
    told = [one.kind for one in await stream(keeper, after=0, limit=50)]
    assert told[-2:] == ["RedemptionShipped", "RedemptionDelivered"]


async def test_a_member_with_two_records_has_no_more_than_one_may() -> None:
    keeper, loser = await two()
    once = replace(MUG, id=UUID(int=9), code="once", points_price=50, per_member=1)
    await rewards.define_rewards([once], now=NOW)
    await redeemed(once, member_id=loser)
    await join(keeper, loser)
    with pytest.raises(RewardLimitReached):
        await redeemed(once, "k-2", member_id=keeper)


async def test_a_request_of_the_record_that_was_given_up_is_the_keepers() -> None:
    """It was on its way while the two were joined; sent again, it is the same redemption."""
    keeper, loser = await two()
    before = await redeemed(MUG, member_id=loser)
    await join(keeper, loser)
    assert await redeemed(MUG, member_id=loser) == as_of(keeper, before)
    late = await redeemed(MUG, "k-2", member_id=loser)
    assert (late.member_id, late.paid_by) == (keeper, keeper)
    assert await redeemed(MUG, "k-2", member_id=keeper) == late
    assert await points(member_id=keeper) == 100


async def test_what_the_keeper_sends_again_for_the_other_record_is_done_once() -> None:
    """The answer got lost, and the person is signed in as the keeper by now."""
    keeper, loser = await two()
    await give(1_000, member_id=keeper)
    mug = await redeemed(MUG, member_id=loser)
    place = await kept(member_id=loser)
    gone = await redeemed(TEN_OFF, "k-2", member_id=loser)
    ended = await cancelled(gone)
    merged = await join(keeper, loser)
    before = await everything_kept()
    assert await redeemed(MUG, member_id=keeper) == as_of(keeper, mug)
    assert await kept(member_id=keeper) == replace(place, member_id=keeper)
    assert await cancelled(as_of(keeper, gone)) == as_of(keeper, ended)
    with pytest.raises(IdempotencyConflict) as refused:
        await redeemed(MUG, member_id=keeper, quantity=2)
    assert refused.value.differing == ("quantity",)
    assert await everything_kept() == before
    # What is new is the keeper's, and no key of the other's stands in its way.
    new = await redeemed(TEN_OFF, "k-3", member_id=keeper)

    await transaction(partial(part, merged, by="staff:x", now=NOW))
    # Each key is again whose it was: to the keeper the other's are new, and the other way round.
    before = await everything_kept()
    assert await redeemed(MUG, member_id=loser) == mug
    assert await kept(member_id=loser) == place
    assert await cancelled(gone) == ended
    assert await redeemed(TEN_OFF, "k-3", member_id=keeper) == new
    assert await everything_kept() == before
    again = await redeemed(DRAW, member_id=keeper)
    assert (again.id != mug.id, again.paid_by) == (True, keeper)
    assert (await redeemed(TEN_OFF, "k-3", member_id=loser)).paid_by == loser


async def test_a_key_that_both_records_used_is_known_by_what_was_asked() -> None:
    keeper, loser = await two()
    draw = await redeemed(DRAW, member_id=keeper)
    mug = await redeemed(MUG, member_id=loser)
    await join(keeper, loser)
    before = await everything_kept()
    assert await redeemed(DRAW, member_id=keeper) == draw
    assert await redeemed(MUG, member_id=keeper) == as_of(keeper, mug)
    with pytest.raises(IdempotencyConflict):
        await redeemed(TEN_OFF, member_id=keeper)
    assert await everything_kept() == before


async def test_parted_again_each_has_their_own() -> None:
    keeper, loser = await two()
    mug = await redeemed(MUG, member_id=loser)
    ten = await redeemed(TEN_OFF, "k-2", member_id=loser)
    merged = await join(keeper, loser)
    await cancelled(as_of(keeper, ten))
    own = await redeemed(TEN_OFF, "k-3", member_id=keeper)
    await transaction(partial(part, merged, by="staff:x", now=NOW))
    assert (await listed(keeper), await listed(loser)) == ([own.id], [ten.id, mug.id])
    with pytest.raises(RedemptionUnknown):
        await cancelled(as_of(keeper, mug), "c-2")
    with pytest.raises(RedemptionUnknown):
        await cancelled(as_of(keeper, ten))
    made = await cancelled(mug)
    assert (made.member_id, made.paid_by) == (loser, loser)
    # Of 1,100 points the keeper has spent 300 on a coupon: the 100 that were theirs, and 200 more.
    assert [await points(member_id=one) for one in (keeper, loser)] == [0, 800]
