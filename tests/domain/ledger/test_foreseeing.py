"""Drafts: what commands would come to is what posting them does, and nothing is written."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.errors import AccountFrozen, ReversedBefore
from domain.ledger import (
    Command,
    Foreseen,
    GiveBack,
    Posted,
    Source,
    TakeBack,
    balance,
    draft,
    left_of_earnings,
    lock_accounts,
    paid_with,
    post,
)
from domain.storage import execute, snapshot, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

REFUND = Source(kind="refund", reference="1")


async def posted(*commands: Command) -> list[Posted]:
    outcomes = await post(commands, now=NOW)
    assert all(isinstance(one, Posted) for one in outcomes), outcomes
    return [one for one in outcomes if isinstance(one, Posted)]


def taking(points: int, *, entry: int = 1) -> TakeBack:
    return TakeBack(member_id=ALICE, entry_seq=entry, points=points, source=REFUND)


def giving(points: int, *, entry: int) -> GiveBack:
    source = Source(kind="cancellation", reference=str(entry))
    later = NOW + days(30)
    return GiveBack(
        member_id=ALICE, entry_seq=entry, points=points, grace_until=later, source=source
    )


async def test_what_is_foreseen_is_what_is_posted() -> None:
    await posted(earn(100, expires=NOW + days(9)), earn(50), redeem(120))
    commands: list[Command] = [giving(20, entry=3), taking(90)]
    before = await everything_kept()
    foreseen = (await draft(commands, now=NOW)).after(commands)
    assert foreseen.standing(ALICE) == Foreseen(available=0, debt=40)
    # The accounts of a draft stay as they are: other commands may be tried.
    tried = await draft(commands, now=NOW)
    assert tried.after(commands[:1]).standing(ALICE) == Foreseen(available=50)
    assert tried.standing(ALICE) == Foreseen(available=30)
    assert await everything_kept() == before
    await posted(*commands)
    found = await balance(ALICE, now=NOW)
    assert (found.available, found.debt) == (0, 40)


async def test_a_draft_is_as_of_now_and_may_be_read_only() -> None:
    await posted(earn(100, expires=NOW + days(9)), earn(50, matures=NOW + days(5)))
    later = NOW + days(10)

    async def look() -> Foreseen:
        return (await draft([taking(10, entry=2)], now=later)).standing(ALICE)

    assert await snapshot(look) == Foreseen(available=50)


async def test_books_that_are_locked_stay_as_they_are() -> None:
    await posted(earn(100), redeem(60))
    commands: list[Command] = [taking(100)]

    async def work() -> list[Posted]:
        books = await lock_accounts([ALICE])
        foreseen = (await draft(commands, now=NOW, books=books)).after(commands)
        assert foreseen.standing(ALICE) == Foreseen(debt=60)
        outcomes = await post(commands, now=NOW, books=books)
        return [one for one in outcomes if isinstance(one, Posted)]

    [made] = await transaction(work)
    assert (made.seq, made.amount) == (3, -100)
    found = await balance(ALICE, now=NOW)
    assert (found.available, found.debt) == (0, 60)


async def test_a_refusal_is_raised_and_leaves_the_draft() -> None:
    await posted(earn(100))
    tried = await draft([taking(1)], now=NOW)
    with pytest.raises(ReversedBefore):
        tried.after([taking(60), taking(30)])
    assert tried.standing(ALICE) == Foreseen(available=100)


async def test_nothing_is_foreseen_of_what_contradicts_itself() -> None:
    await posted(earn(100, expires=NOW + days(1)))
    await execute("UPDATE points_account SET available = 90")
    tried = await draft([taking(1)], now=NOW + days(2))
    with pytest.raises(AccountFrozen):
        tried.after([taking(1)])


async def test_who_has_no_account_has_nothing() -> None:
    assert (await draft([], of=[BOB], now=NOW)).standing(BOB) == Foreseen()
    assert (await draft([], now=NOW)).standing(uuid4()) == Foreseen()


async def test_what_is_left_of_earnings_and_what_paid_for_a_spending() -> None:
    soon = NOW + timedelta(days=1)
    await posted(earn(100, expires=soon), earn(50), redeem(60), redeem(80))
    assert await paid_with({(ALICE, 3), (ALICE, 4)}) == {
        (ALICE, 3): {(ALICE, 1)},
        (ALICE, 4): {(ALICE, 1), (ALICE, 2)},
    }
    # What came back is what it was at first.
    await posted(giving(60, entry=3), redeem(30))
    assert await paid_with({(ALICE, 6)}) == {(ALICE, 6): {(ALICE, 1)}}
    await posted(taking(70))
    assert await left_of_earnings({(ALICE, 1), (ALICE, 2), (ALICE, 3), (BOB, 1)}) == {
        (ALICE, 1): 30,
        (ALICE, 2): 50,
    }
