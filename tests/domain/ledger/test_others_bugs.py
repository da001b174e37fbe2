"""Bugs that other ledgers had, each as a test that ours does not have it, on both databases.

Each test is named after the project and the number of its issue. What races there races here too:
on PostgreSQL all competitors are seen waiting for the account before any may go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import pytest

from domain.errors import (
    EntryNotReversible,
    IdempotencyConflict,
    InsufficientPoints,
    Refusal,
    ReversalExceeds,
    ReversedBefore,
)
from domain.ledger import (
    HoldPoints,
    Outcome,
    Posted,
    balance,
    hold_points,
    post,
    verify_account,
)
from domain.ledger.commands import Command, GiveBack, TakeBack, Transfer
from domain.ledger.entries import Source
from domain.members import ByExternalReference, ById, register_external_members
from domain.storage import close, connect, dialect, fetch_all
from tests.domain.ledger.commands import ALICE, NOW, days, earn, key, redeem
from tests.domain.ledger.kept import ledger_kept
from tests.races.contention import PATIENT, gate

_T = TypeVar("_T")

CROWD = 20
FEW = 8
"""Where the number does not matter."""
FRIENDS = [UUID(int=number) for number in range(1, CROWD + 1)]


@pytest.fixture
async def crowded(database_url: str) -> AsyncIterator[str]:
    """A fresh database with connections for the whole crowd; its URL."""
    await connect(database_url, pool=PATIENT)
    yield database_url
    await close()


async def posted(*commands: Command) -> list[Posted]:
    found = []
    for outcome in await post(commands, now=NOW):
        assert isinstance(outcome, Posted), outcome
        found.append(outcome)
    return found


async def refusal(command: Command) -> Refusal:
    """The refusal of a command, which changed nothing."""
    before = await ledger_kept()
    [outcome] = await post([command], now=NOW)
    assert isinstance(outcome, Refusal), outcome
    assert await ledger_kept() == before
    return outcome


async def at_once(url: str, commands: Sequence[Command]) -> list[Outcome]:
    """Post all at once, each in a transaction of its own; they meet at Alice's account."""

    async def one(command: Command) -> Outcome:
        [outcome] = await post([command], now=NOW)
        return outcome

    return await met_at(url, ALICE, [one(command) for command in commands])


async def met_at(url: str, member_id: UUID, crowd: Sequence[Awaitable[_T]]) -> list[_T]:
    """Let all run at once; on PostgreSQL they are seen waiting for the account before."""
    async with AsyncExitStack() as stack:
        opened = None
        if dialect() == "postgres":
            opened = await stack.enter_async_context(gate(url))
            await opened.hold(
                "SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", member_id
            )
        running = asyncio.gather(*crowd)
        if opened is not None:
            await opened.open(waiting=len(crowd))
        return await running


async def points_of(member_id: UUID) -> tuple[int, int]:
    """Available points and debt, of an account that verifies."""
    assert await verify_account(member_id) == []
    found = await balance(member_id, now=NOW)
    return found.available, found.debt


def gift(points: int, *, to: UUID) -> Transfer:
    source = Source(kind="transfer", reference=str(to))
    return Transfer(member_id=ALICE, to_member_id=to, points=points, source=source)


def take_back(points: int, *, entry: int = 1, cause: str, known_as: str | None = None) -> TakeBack:
    return TakeBack(
        member_id=ALICE,
        entry_seq=entry,
        points=points,
        source=Source(kind="refund", reference=cause),
        key=key(known_as) if known_as else None,
    )


def give_back(points: int, *, entry: int, cause: str, known_as: str | None = None) -> GiveBack:
    return GiveBack(
        member_id=ALICE,
        entry_seq=entry,
        points=points,
        grace_until=NOW + days(30),
        source=Source(kind="refund", reference=cause),
        key=key(known_as) if known_as else None,
    )


async def test_fuint_71_twenty_gifts_at_once_of_points_that_cover_one(crowded: str) -> None:
    """They were read, then written absolutely: 100 points credited 2,000."""
    await posted(earn(100))
    outcomes = await at_once(crowded, [gift(100, to=friend) for friend in FRIENDS])
    assert sum(isinstance(one, Posted) for one in outcomes) == 1
    assert sum(isinstance(one, InsufficientPoints) for one in outcomes) == CROWD - 1
    received = [(await points_of(friend))[0] for friend in FRIENDS]
    assert sorted(received) == [0] * (CROWD - 1) + [100]
    assert await points_of(ALICE) == (0, 0)


@pytest.mark.usefixtures("database")
async def test_odoo_257854_a_refund_does_not_leave_the_points() -> None:
    """The order was refunded and its points stayed with the customer."""
    await posted(earn(100))
    await posted(take_back(100, cause="refund-1"))
    assert await points_of(ALICE) == (0, 0)
    # Nor do they stay when they were spent before.
    await posted(earn(50), redeem(50))
    await posted(take_back(50, entry=3, cause="refund-2"))
    assert await points_of(ALICE) == (0, 50)


async def test_odoo_212922_and_221928_partial_refunds_deduct_once_each(crowded: str) -> None:
    """Each part of a refund deducted what the parts before it had deducted already."""
    await posted(earn(100))
    # The same part comes many times at once, each time under a key of its own.
    commands = [take_back(30, cause="part-1", known_as=f"try-{n}") for n in range(FEW)]
    outcomes = await at_once(crowded, commands)
    assert sum(isinstance(one, Posted) for one in outcomes) == 1
    assert sum(isinstance(one, ReversedBefore) for one in outcomes) == FEW - 1
    assert await points_of(ALICE) == (70, 0)
    await posted(take_back(45, cause="part-2"), take_back(25, cause="part-3"))
    assert await points_of(ALICE) == (0, 0)
    over = await refusal(take_back(1, cause="part-4"))
    assert isinstance(over, ReversalExceeds)
    assert (over.left, over.requested) == (0, 1)


@pytest.mark.usefixtures("database")
async def test_erpnext_59050_what_is_validated_is_what_is_deducted() -> None:
    """The total was validated over all rows, but only some of them were deducted."""
    expiries = [NOW + days(40), NOW + days(10), NOW + days(30), NOW + days(20)]
    await posted(*(earn(25, expires=expires) for expires in expiries))
    [spent] = await posted(redeem(90))
    rows = await fetch_all(
        "SELECT lot_seq, amount FROM points_draw WHERE entry_seq = $1", spent.seq
    )
    drawn = {row["lot_seq"]: row["amount"] for row in rows}
    assert drawn == {2: 25, 4: 25, 3: 25, 1: 15}
    assert sum(drawn.values()) == -spent.amount
    left = await fetch_all("SELECT lot_seq, remaining FROM points_lot WHERE remaining > 0")
    assert [tuple(dict(row).values()) for row in left] == [(1, 10)]
    assert await points_of(ALICE) == (10, 0)
    assert isinstance(await refusal(redeem(11)), InsufficientPoints)


@pytest.mark.usefixtures("database")
async def test_flocafe_78_a_spend_expires_with_what_it_spent() -> None:
    """Credits fell out of the sum when they expired while their debits stayed: below zero."""
    later = NOW + days(11)
    await posted(earn(100, expires=NOW + days(10)), redeem(60), earn(50, expires=NOW + days(20)))
    assert (await balance(ALICE, now=later)).available == 50
    [outcome] = await post([redeem(50)], now=later)
    assert isinstance(outcome, Posted)
    assert outcome.balance_after == 0
    assert await verify_account(ALICE) == []
    [expired] = await fetch_all("SELECT amount FROM points_entry WHERE kind = 'EXPIRE'")
    assert expired["amount"] == -40


@pytest.mark.usefixtures("database")
async def test_blnk_152_a_refund_is_given_once() -> None:
    """The refund of one transaction could be asked for again, and was paid again."""
    await posted(earn(100), redeem(80))
    [first] = await posted(give_back(80, entry=2, cause="refund-1", known_as="k"))
    [again] = await posted(give_back(80, entry=2, cause="refund-1", known_as="k"))
    assert (again.seq, again.replayed) == (first.seq, True)
    # Nor with another key, nor as another refund.
    once_more = give_back(80, entry=2, cause="refund-1", known_as="other")
    assert isinstance(await refusal(once_more), ReversedBefore)
    assert isinstance(await refusal(give_back(1, entry=2, cause="refund-2")), ReversalExceeds)
    assert await points_of(ALICE) == (100, 0)


@pytest.mark.usefixtures("database")
async def test_blnk_374_the_refund_of_a_refund_does_not_pay_again() -> None:
    """A second refund undid the first one, and so applied the payment anew."""
    await posted(earn(100), redeem(80))
    await posted(give_back(80, entry=2, cause="refund-1"))
    for command in (give_back(80, entry=3, cause="r"), take_back(80, entry=3, cause="r")):
        refused = await refusal(command)
        assert isinstance(refused, EntryNotReversible)
        assert refused.kind == "REVERSAL"
    assert await points_of(ALICE) == (100, 0)


async def test_formance_ledger_364_numbers_are_given_by_the_database(crowded: str) -> None:
    """Ids were counted in the code of each process: two transactions got the same one."""
    await posted(earn(1))
    outcomes = await at_once(crowded, [earn(1) for _ in range(FEW)])
    numbers = [one.seq for one in outcomes if isinstance(one, Posted)]
    assert sorted(numbers) == list(range(2, FEW + 2))
    assert await points_of(ALICE) == (FEW + 1, 0)


@pytest.mark.usefixtures("database")
async def test_formance_stack_1633_one_key_twice_in_one_batch() -> None:
    """Both elements of the batch took effect, or the whole batch failed."""
    await posted(earn(100))
    known_as = key("k")
    first, second, third = await post(
        [
            redeem(30, known_as=known_as),
            redeem(30, known_as=known_as),
            redeem(31, known_as=known_as),
        ],
        now=NOW,
    )
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert (first.seq, first.replayed, second.seq, second.replayed) == (2, False, 2, True)
    assert isinstance(third, IdempotencyConflict)
    assert third.differing == ("points",)
    assert await points_of(ALICE) == (70, 0)


async def test_formance_wallets_109_a_holds_id_comes_of_its_key(crowded: str) -> None:
    """Each try made a random hold id, so a retry had another hash and was a conflict."""
    joined = await register_external_members([ByExternalReference("alice")], now=NOW)
    member_id = joined["alice"]
    await posted(earn(100, member_id=member_id))
    command = HoldPoints(
        owner="shop",
        member=ById(member_id),
        points=60,
        reference="order-1",
        idempotency_key="k",
    )
    tries = [hold_points(command, now=NOW + timedelta(seconds=n)) for n in range(FEW)]
    holds = set(await met_at(crowded, member_id, tries))
    [hold] = holds
    assert hold.hold_id.version == 5
    found = await balance(member_id, now=NOW)
    assert (found.available, found.held) == (40, 60)
    [row] = await fetch_all("SELECT hold_id FROM points_hold")
    assert row["hold_id"] == hold.hold_id
    assert await verify_account(member_id) == []
