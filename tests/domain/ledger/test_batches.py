"""Batches: each command on its own, one path for one and for five hundred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from domain.errors import (
    ErrorCode,
    IdempotencyConflict,
    InsufficientPoints,
    PointsOutOfRange,
    Refusal,
)
from domain.ledger import (
    BATCH_MAX,
    POINTS_MAX,
    Command,
    Outcome,
    Posted,
    balance,
    post,
    verify_account,
)
from domain.storage import dialect, fetch_all, observed_statements
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, key, redeem, tuples
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

CAROL = UUID(int=3)


def brief(outcomes: Sequence[Outcome]) -> list[tuple[int, int] | ErrorCode]:
    """Each outcome as (sequence number, amount), or as its refusal's code."""
    return [
        outcome.code if isinstance(outcome, Refusal) else (outcome.seq, outcome.amount)
        for outcome in outcomes
    ]


async def test_an_empty_batch_does_nothing() -> None:
    with observed_statements() as statements:
        assert await post([], now=NOW) == []
    assert statements == []


async def test_each_command_of_a_mixed_batch_succeeds_or_fails_on_its_own() -> None:
    outcomes = await post(
        [
            earn(100),
            redeem(10, member_id=BOB),
            redeem(30),
            earn(0),
            redeem(71),
            earn(5, member_id=BOB),
            redeem(5, member_id=BOB),
            redeem(70),
            redeem(1, member_id=CAROL),
        ],
        now=NOW,
    )
    insufficient, range_ = ErrorCode.INSUFFICIENT_POINTS, ErrorCode.POINTS_OUT_OF_RANGE
    assert brief(outcomes) == [
        (1, 100),
        insufficient,
        (2, -30),
        range_,
        insufficient,
        (1, 5),
        (2, -5),
        (3, -70),
        insufficient,
    ]
    refusal = outcomes[4]
    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.available, refusal.requested) == (70, 71)
    accounts = await fetch_all("SELECT member_id, available FROM points_account ORDER BY member_id")
    # Carol, whose only command was refused, has no account.
    assert tuples(accounts) == [(ALICE, 0), (BOB, 0)]
    assert await verify_account(ALICE) == await verify_account(BOB) == []


async def test_a_key_twice_in_one_batch_takes_effect_once() -> None:
    command = earn(10, known_as=key("k"))
    first, other, again = await post([command, earn(1), command], now=NOW)
    assert isinstance(first, Posted)
    assert again == replace(first, replayed=True)
    assert other == replace(first, seq=2, amount=1, balance_after=11)
    assert (await balance(ALICE, now=NOW)).available == 11


async def test_a_key_twice_in_one_batch_with_another_input_is_refused() -> None:
    outcomes = await post(
        [
            earn(10, known_as=key("k")),
            earn(11, known_as=key("k")),
            earn(10, member_id=BOB, known_as=key("k")),
        ],
        now=NOW,
    )
    assert isinstance(outcomes[0], Posted)
    for outcome, differing in zip(outcomes[1:], [("points",), ("member_id",)], strict=True):
        assert isinstance(outcome, IdempotencyConflict)
        assert (outcome.key, outcome.differing) == ("k", differing)
    assert [r["member_id"] for r in await fetch_all("SELECT member_id FROM points_account")] == [
        ALICE
    ]


async def test_a_known_key_is_compared_with_every_input_that_uses_it_again() -> None:
    command = earn(10, known_as=key("k"))
    (first,) = await post([command], now=NOW)
    before = await everything_kept()
    replayed, conflict = await post([command, replace(command, points=11)], now=NOW)
    assert isinstance(first, Posted)
    assert replayed == replace(first, replayed=True)
    assert isinstance(conflict, IdempotencyConflict)
    assert conflict.differing == ("points",)
    conflict, replayed = await post([replace(command, reason="x"), command], now=NOW)
    assert isinstance(conflict, IdempotencyConflict)
    assert replayed == replace(first, replayed=True)
    assert await everything_kept() == before


async def test_a_key_that_was_refused_may_be_used_again_in_the_same_batch() -> None:
    spending = redeem(10, known_as=key("k"))
    outcomes = await post([spending, earn(10), spending, spending], now=NOW)
    assert brief(outcomes) == [ErrorCode.INSUFFICIENT_POINTS, (1, 10), (2, -10), (2, -10)]
    replays = [outcome.replayed for outcome in outcomes if isinstance(outcome, Posted)]
    assert replays == [False, False, True]


async def test_a_batch_in_which_all_is_refused_changes_nothing() -> None:
    await post([earn(10, expires=NOW + days(1))], now=NOW)
    before = await everything_kept()
    outcomes = await post([redeem(11), redeem(99, member_id=BOB)], now=NOW + days(2))
    assert brief(outcomes) == [ErrorCode.INSUFFICIENT_POINTS] * 2
    assert await everything_kept() == before


async def test_sums_out_of_range_are_refused_in_the_middle_of_a_batch() -> None:
    outcomes = await post([earn(POINTS_MAX), earn(1), redeem(1), earn(1)], now=NOW)
    assert brief(outcomes) == [
        (1, POINTS_MAX),
        ErrorCode.POINTS_OUT_OF_RANGE,
        (2, -1),
        (3, 1),
    ]
    refusal = outcomes[1]
    assert isinstance(refusal, PointsOutOfRange)
    assert refusal.points == POINTS_MAX + 1


async def test_what_fell_due_is_written_once_for_all_commands_of_a_batch() -> None:
    await post([earn(100, expires=NOW + days(1))], now=NOW)
    await post([earn(10), earn(20), redeem(30)], now=NOW + days(2))
    entries = await fetch_all("SELECT kind, balance_after FROM points_entry ORDER BY seq")
    assert tuples(entries) == [
        ("EARN", 100),
        ("EXPIRE", 0),
        ("EARN", 10),
        ("EARN", 30),
        ("REDEEM", 0),
    ]


def batch_of(size: int, *, members: int) -> list[Command]:
    """Earnings and redemptions in turn, dealt out to the members."""
    return [
        (earn(10, member_id=UUID(int=100 + n // 2 % members), known_as=key(f"{size}-{n}")))
        if n % 2 == 0
        else redeem(4, member_id=UUID(int=100 + n // 2 % members), known_as=key(f"{size}-{n}"))
        for n in range(size)
    ]


def written(tables: int) -> int:
    """The statements that write so many tables together."""
    return 1 if dialect() == "postgres" else tables


def events_more() -> int:
    """Events are one statement on PostgreSQL and two on SQLite."""
    return 0 if dialect() == "postgres" else 1


async def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    counts = []
    for size in (2, 10, 500):
        # The accounts exist and have lots, so that the batches differ in nothing but their size.
        members = size // 2
        await post([earn(1, member_id=UUID(int=100 + n)) for n in range(members)], now=NOW)
        with observed_statements() as statements:
            outcomes = await post(batch_of(size, members=members), now=NOW)
        assert all(isinstance(outcome, Posted) for outcome in outcomes)
        counts.append(len(statements))
    # Lock, keys, lots; entries, texts, new lots, changed lots, draws, keys, accounts; events.
    assert counts == [3 + written(7) + 1 + events_more()] * 3


async def test_one_earning_takes_as_many_statements_as_five_hundred() -> None:
    counts = []
    for size in (1, 10, 500):
        members = [UUID(int=1_000 + n) for n in range(size)]
        await post([earn(1, member_id=member) for member in members], now=NOW)
        with observed_statements() as statements:
            await post(
                [
                    earn(10, member_id=member, known_as=key(f"{size}-{member}"))
                    for member in members
                ],
                now=NOW,
            )
        counts.append(len(statements))
    # Lock, keys; entries, texts, lots, keys, accounts; events. No lot but the new ones is read.
    assert counts == [2 + written(5) + 1 + events_more()] * 3


async def test_a_batch_of_new_members_needs_two_statements_more() -> None:
    with observed_statements() as statements:
        await post(
            [earn(10, member_id=UUID(int=n), known_as=key(str(n))) for n in range(1, 301)], now=NOW
        )
    # Lock, make accounts, lock again; keys; entries, texts, lots, keys, accounts; events.
    assert len(statements) == 4 + written(5) + 1 + events_more()


async def test_the_journals_of_a_large_batch_are_gapless_and_chained() -> None:
    await post(batch_of(BATCH_MAX, members=7), now=NOW)
    total = 0
    for n in range(7):
        member_id = UUID(int=100 + n)
        assert await verify_account(member_id) == []
        rows = await fetch_all(
            "SELECT seq FROM points_entry WHERE member_id = $1 ORDER BY seq", member_id
        )
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        total += len(rows)
    assert total == BATCH_MAX


async def test_larger_batches_are_split_by_their_caller() -> None:
    with pytest.raises(AssertionError, match="splits larger batches"):
        await post([earn(1)] * (BATCH_MAX + 1), now=NOW)
