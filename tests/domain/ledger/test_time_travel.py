"""Points of the past: as known now, as known then, with reasons."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Final
from uuid import UUID

import pytest

from domain.ledger import look_back, post, sweep, verify_account
from domain.ledger.commands import Release, SetAside, TakeBack
from domain.ledger.entries import Source
from domain.storage import fetch_all, observed_statements
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem
from tests.domain.ledger.looking_back import PointsThen, points_at
from tests.domain.ledger.pasts import MICROSECOND, Balances, Past, counted, stored, told

pytestmark = pytest.mark.usefixtures("database")

SHOP = Source(kind="checkout", reference="cart-1")

SEEDS: Final = range(10) if os.environ.get("JIFEN_SOAK") else [2]
STEPS: Final = {False: 150, True: 600}
MOMENTS_MIN: Final = {False: 300, True: 1_200}
SNAPSHOTS_MIN: Final = {False: 2, True: 6}
"""By the form. A history shorter than a chapter of the journal has no snapshot to start from."""


def balances(points: PointsThen) -> Balances:
    return points.available, points.pending, points.held, points.debt


def named(points: PointsThen) -> list[tuple[int | None, str, int]]:
    """The reasons as (sequence number, kind, amount)."""
    return [
        (one.entry.seq if one.entry else None, one.kind.value, one.amount) for one in points.reasons
    ]


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
async def test_what_was_shown_then_is_shown_for_ever(
    seed: int, full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    """What balance showed, what the sweeper wrote, and all entries summed one by one agree.

    The sweeper is there in the first half of each history; the first of many never sees it.
    """
    past = Past(Random(seed), sweeps=seed > 0)
    await past.live(STEPS[full_form] // 2)
    past.sweeps = False
    await past.live(STEPS[full_form] // 2)
    # A reader who looks twice at one moment is shown the same, and asked about once.
    seen = list(dict.fromkeys(past.shown))
    for moment, shown in seen:
        found = await points_at(ALICE, as_of=moment, known_at=moment, now=past.now)
        assert balances(found) == shown, (moment, past.steps)

    before = await told(now=past.now)
    assert balances(await points_at(ALICE, as_of=past.now, now=past.now)) == before
    assert (await sweep(now=past.now, accounts_max=100, within_s=60)).done
    assert await stored() == before
    assert await verify_account(ALICE) == []
    entries = await fetch_all("SELECT * FROM points_entry WHERE member_id = $1 ORDER BY seq", ALICE)
    moments = [moment for moment, _ in seen]
    for as_of in past.chance.sample(moments, 8):
        for known_at in (past.chance.choice(moments), past.now):
            expected, seqs = counted(entries, as_of=as_of, known_at=known_at)
            found = await points_at(ALICE, as_of=as_of, known_at=known_at, now=past.now)
            assert balances(found) == expected, (as_of, known_at, past.steps)
            assert [seq for seq, _, _ in named(found)] == seqs[:100]
            assert min(expected) >= 0
    tally("moments of the past that were shown again", len(seen), MOMENTS_MIN[full_form])
    snapshots = await fetch_all(
        "SELECT reaches_back FROM points_snapshot WHERE member_id = $1", ALICE
    )
    tally("snapshots that they start from", len(snapshots), SNAPSHOTS_MIN[full_form])
    back = sum(row["reaches_back"] for row in snapshots)
    tally("chapters that reach back before their snapshot", back, 1)


async def test_nobody_has_a_past_yet() -> None:
    assert await points_at(BOB, as_of=NOW, now=NOW) == PointsThen()


async def test_a_backdated_earning_was_not_known_then() -> None:
    await post([earn(100)], now=NOW)
    later = NOW + days(10)
    await post([earn(50, at=NOW - days(5), expires=NOW + days(5))], now=later)
    then, now = NOW + days(1), later
    assert named(await points_at(ALICE, as_of=then, now=now)) == [
        (2, "EARN", 50),
        (1, "EARN", 100),
    ]
    as_known = await points_at(ALICE, as_of=then, known_at=then, now=now)
    assert (as_known.available, named(as_known)) == (100, [(1, "EARN", 100)])
    # The expiry fell due before its cause was known; it was known with it.
    assert balances(await points_at(ALICE, as_of=NOW + days(6), now=now)) == (100, 0, 0, 0)
    assert named(await points_at(ALICE, as_of=NOW + days(6), now=now))[0] == (3, "EXPIRE", -50)
    at_last = await points_at(ALICE, as_of=then, known_at=later - MICROSECOND, now=now)
    assert at_last == as_known


async def test_a_hold_that_ran_out_is_over_from_then_on_whenever_that_is_written() -> None:
    hold = SetAside(
        member_id=ALICE,
        hold_id=UUID(int=1),
        owner="shop",
        points=60,
        expires_at=NOW + days(2),
        source=SHOP,
    )
    await post([earn(100, expires=NOW + days(1)), hold], now=NOW)
    unwritten = await points_at(ALICE, as_of=NOW + days(2), now=NOW + days(3))
    assert balances(unwritten) == (0, 0, 0, 0)
    assert named(unwritten) == [
        (None, "EXPIRE", -60),
        (None, "RELEASE", 60),
        (None, "EXPIRE", -40),
        (2, "HOLD", -60),
        (1, "EARN", 100),
    ]
    late = NOW + days(9)
    await post([earn(1, at=late)], now=late)
    for known_at in (NOW + days(2), late):
        written = await points_at(ALICE, as_of=NOW + days(2), known_at=known_at, now=late)
        assert balances(written) == (0, 0, 0, 0)
        assert named(written)[:3] == [(5, "EXPIRE", -60), (4, "RELEASE", 60), (3, "EXPIRE", -40)]
    held = await points_at(ALICE, as_of=NOW + days(2) - MICROSECOND, now=late)
    assert balances(held) == (0, 0, 60, 0)
    release = Release(member_id=ALICE, hold_id=UUID(int=1), source=SHOP)
    assert str((await post([release], now=late))[0]).startswith("HOLD_NOT_OPEN")


async def test_points_that_paid_a_later_debt_count_until_the_debt_came() -> None:
    await post([earn(30), redeem(30)], now=NOW)
    refund = Source(kind="refund", reference="r-1")
    back = TakeBack(member_id=ALICE, entry_seq=1, points=30, source=refund)
    await post([back], now=NOW + days(10))
    await post([earn(50, at=NOW + days(5))], now=NOW + days(20))
    now = NOW + days(20)
    assert await told(now=now) == (20, 0, 0, 0)
    shown = {
        day: balances(await points_at(ALICE, as_of=NOW + days(day), now=now))
        for day in (4, 5, 10, 20)
    }
    assert shown == {4: (0, 0, 0, 0), 5: (50, 0, 0, 0), 10: (20, 0, 0, 0), 20: (20, 0, 0, 0)}


async def test_looking_back_takes_three_statements_and_one_for_reasons() -> None:
    for day in range(5):
        await post([earn(1, at=NOW + days(day))] * 50, now=NOW + days(day))
    with observed_statements() as statements:
        past = await look_back(
            ALICE, as_of=NOW + days(2), known_at=NOW + days(3), now=NOW + days(9)
        )
    assert len(statements) == 3
    assert past.points.available == 150
    with observed_statements() as statements:
        reasons = await past.reasons(7)
    assert len(statements) == 1
    assert [one.entry.seq for one in reasons if one.entry] == list(range(150, 143, -1))
    assert len(await past.reasons(1_000)) == 100
