"""Racing holds, captures, releases and redemptions on PostgreSQL: points are spent once."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain import members
from domain.errors import HoldExists, HoldNotOpen, InsufficientPoints
from domain.ledger import (
    NEVER,
    Captured,
    CapturePoints,
    Earn,
    HoldPoints,
    HoldState,
    PointsHold,
    Posted,
    Redeem,
    ReleasePoints,
    Source,
    balance,
    capture_points,
    hold_points,
    post_one,
    release_points,
    verify_account,
)
from domain.members import ByExternalReference, ById
from tests.domain.access.fixtures import NOW
from tests.races.contention import Gate

RACE = Source(kind="race", reference="opening")


async def join(*names: str, points: int = 100) -> list[UUID]:
    """Members with points each."""
    references = [ByExternalReference(name) for name in names]
    joined = await members.register_external_members(references, now=NOW)
    for name in names:
        await post_one(
            Earn(
                member_id=joined[name],
                points=points,
                source=RACE,
                effective_at=NOW,
                expires_at=NEVER,
            ),
            now=NOW,
        )
    return [joined[name] for name in names]


@pytest.fixture
async def alice(postgres: str) -> UUID:
    [member_id] = await join("alice")
    return member_id


def holding(member_id: UUID, *, reference: str = "order-1", key: str = "hold-1") -> HoldPoints:
    return HoldPoints(
        owner="shop",
        member=ById(member_id),
        points=60,
        reference=reference,
        idempotency_key=key,
    )


def capturing(hold: PointsHold, key: str) -> CapturePoints:
    return CapturePoints(
        owner="shop", member_id=hold.member_id, hold_id=hold.hold_id, idempotency_key=key
    )


def releasing(hold: PointsHold, key: str) -> ReleasePoints:
    return ReleasePoints(
        owner="shop", member_id=hold.member_id, hold_id=hold.hold_id, idempotency_key=key
    )


async def lock_account(gate: Gate, member_id: UUID) -> None:
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", member_id)


async def left(member_id: UUID) -> tuple[int, int]:
    """What is available and held, of an account that is sound."""
    assert await verify_account(member_id) == []
    now = await balance(member_id, now=NOW)
    return now.available, now.held


async def test_concurrent_captures_of_one_hold_spend_it_once(alice: UUID, gate: Gate) -> None:
    """Four keys, three times each: one key wins, all of its tries are answered alike."""
    hold = await hold_points(holding(alice), now=NOW)
    await lock_account(gate, alice)
    crowd = asyncio.gather(
        *(capture_points(capturing(hold, f"k-{n % 4}"), now=NOW) for n in range(12)),
        return_exceptions=True,
    )
    await gate.open(waiting=12)
    outcomes = await crowd
    won = [one for one in outcomes if isinstance(one, Captured)]
    refused = [one.state for one in outcomes if isinstance(one, HoldNotOpen)]
    assert len(won) == 3
    assert won[0] == won[1] == won[2]
    assert (won[0].amount, won[0].hold.captured) == (-60, 60)
    assert refused == ["CAPTURED"] * 9
    assert await left(alice) == (40, 0)


async def test_captures_and_releases_of_one_hold_end_it_once(alice: UUID, gate: Gate) -> None:
    hold = await hold_points(holding(alice), now=NOW)
    await lock_account(gate, alice)
    crowd = asyncio.gather(
        *(capture_points(capturing(hold, f"c-{n}"), now=NOW) for n in range(4)),
        *(release_points(releasing(hold, f"r-{n}"), now=NOW) for n in range(4)),
        return_exceptions=True,
    )
    await gate.open(waiting=8)
    outcomes = await crowd
    [won] = [one for one in outcomes if isinstance(one, Captured | PointsHold)]
    state = won.hold.state if isinstance(won, Captured) else won.state
    refused = [one.state for one in outcomes if isinstance(one, HoldNotOpen)]
    assert refused == [state.value] * 7
    assert await left(alice) == ((40, 0) if state is HoldState.CAPTURED else (100, 0))


async def test_holds_and_redemptions_spend_no_more_than_there_is(alice: UUID, gate: Gate) -> None:
    """Each takes 60 of 100: one of them succeeds."""
    await lock_account(gate, alice)
    crowd = asyncio.gather(
        *(hold_points(holding(alice, reference=f"o-{n}", key=f"h-{n}"), now=NOW) for n in range(4)),
        *(post_one(Redeem(member_id=alice, points=60, source=RACE), now=NOW) for _ in range(4)),
        return_exceptions=True,
    )
    await gate.open(waiting=8)
    outcomes = await crowd
    [won] = [one for one in outcomes if isinstance(one, PointsHold | Posted)]
    refused = [one for one in outcomes if isinstance(one, InsufficientPoints)]
    assert [(one.available, one.requested) for one in refused] == [(40, 60)] * 7
    assert await left(alice) == ((40, 60) if isinstance(won, PointsHold) else (40, 0))


async def test_one_key_at_once_makes_one_hold(alice: UUID, gate: Gate) -> None:
    await lock_account(gate, alice)
    crowd = asyncio.gather(*(hold_points(holding(alice), now=NOW) for _ in range(8)))
    await gate.open(waiting=8)
    holds = await crowd
    assert all(one == holds[0] for one in holds)
    assert await left(alice) == (40, 60)


async def test_an_order_that_two_members_pay_at_once_is_held_for_one(
    alice: UUID, gate: Gate
) -> None:
    """Nothing but the order is common to them: its row decides."""
    [bob] = await join("bob")
    await gate.hold("LOCK TABLE points_hold_reference IN SHARE MODE")
    crowd = asyncio.gather(
        hold_points(holding(alice, key="a"), now=NOW),
        hold_points(holding(bob, key="b"), now=NOW),
        return_exceptions=True,
    )
    await gate.open(waiting=2)
    outcomes = await crowd
    [won] = [one for one in outcomes if isinstance(one, PointsHold)]
    [refused] = [one for one in outcomes if isinstance(one, HoldExists)]
    assert refused.hold == won.key
    for member_id in (alice, bob):
        assert await left(member_id) == ((40, 60) if member_id == won.member_id else (100, 0))


async def test_a_capture_meets_a_new_hold_of_its_order(alice: UUID, gate: Gate) -> None:
    """By one clock the old hold is over, by another it has a moment left: one of the two counts."""
    [bob] = await join("bob")
    old = await hold_points(holding(alice), now=NOW)
    await gate.hold("SELECT 1 FROM points_hold_reference FOR UPDATE")
    crowd = asyncio.gather(
        capture_points(capturing(old, "c"), now=NOW),
        hold_points(holding(bob, key="new"), now=old.expires_at),
        return_exceptions=True,
    )
    await gate.open(waiting=2)
    captured, held = await crowd
    if isinstance(captured, Captured):
        assert isinstance(held, HoldExists)
        assert (await left(alice), await left(bob)) == ((40, 0), (100, 0))
    else:
        assert isinstance(captured, HoldNotOpen)
        assert (captured.state, isinstance(held, PointsHold)) == ("EXPIRED", True)
        assert (await left(alice), await left(bob)) == ((40, 60), (40, 60))
