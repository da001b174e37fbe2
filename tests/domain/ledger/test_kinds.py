"""Every kind of entry through `post`, on both databases; the account verifies after each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from domain.errors import (
    AccountFrozen,
    EntryNotReversible,
    HoldNotOpen,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    PointsOutOfRange,
    Refusal,
    ReversalExceeds,
    ReversedBefore,
)
from domain.ledger import POINTS_MAX, balance, journal, post, verify_account
from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    GiveBack,
    Key,
    Mature,
    Posted,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import Source
from domain.ledger.expiry import NEVER
from domain.paging import PageRequest
from domain.storage import execute, fetch_all
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, key, redeem
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

SHOP = Source(kind="checkout", reference="cart-1")
HOLD = UUID(int=1)


def refund(cause: str = "r-1") -> Source:
    return Source(kind="refund", reference=cause)


async def posted(*commands: Command, now: datetime = NOW) -> list[Posted]:
    outcomes = await post(commands, now=now)
    found = []
    for outcome in outcomes:
        assert isinstance(outcome, Posted), outcome
        found.append(outcome)
    await sound()
    return found


async def sound() -> None:
    assert [v for member in (ALICE, BOB) for v in await verify_account(member)] == []


async def refused(command: Command, *, now: datetime = NOW) -> Refusal:
    before = await everything_kept()
    [outcome] = await post([command], now=now)
    assert isinstance(outcome, Refusal), outcome
    assert await everything_kept() == before
    return outcome


async def told(member_id: UUID = ALICE) -> list[tuple[str, int, int]]:
    page = await journal(member_id, PageRequest(first=100))
    return [(one.kind.value, one.amount, one.balance_after) for one in reversed(page.items)]


async def balances(member_id: UUID = ALICE, *, now: datetime = NOW) -> tuple[int, int, int, int]:
    found = await balance(member_id, now=now)
    return found.available, found.pending, found.held, found.debt


async def two_lots() -> None:
    await posted(earn(60, expires=NOW + days(10)), earn(40, expires=NOW + days(20)))


def set_aside(points: int, *, hold_id: UUID = HOLD, known_as: Key | None = None) -> SetAside:
    return SetAside(
        member_id=ALICE,
        hold_id=hold_id,
        owner="shop",
        points=points,
        expires_at=NOW + days(1),
        source=SHOP,
        key=known_as,
    )


def capture(points: int | None = None, *, known_as: Key | None = None) -> Capture:
    return Capture(member_id=ALICE, hold_id=HOLD, points=points, source=SHOP, key=known_as)


RELEASE = Release(member_id=ALICE, hold_id=HOLD, source=SHOP)


def take_back(points: int, *, entry: int = 1, cause: str = "r-1") -> TakeBack:
    return TakeBack(member_id=ALICE, entry_seq=entry, points=points, source=refund(cause))


def give_back(points: int, *, entry: int, cause: str = "r-1") -> GiveBack:
    return GiveBack(
        member_id=ALICE,
        entry_seq=entry,
        points=points,
        grace_until=NOW + days(99),
        source=refund(cause),
    )


def moved(points: int, *, to: UUID = BOB) -> Transfer:
    return Transfer(
        member_id=ALICE,
        to_member_id=to,
        points=points,
        note="生日快乐",
        source=Source(kind="transfer", reference="t-1"),
    )


def adjusted(points: int) -> Adjust:
    return Adjust(
        member_id=ALICE,
        points=points,
        reason="补偿",
        expires_at=NEVER,
        source=Source(kind="adjustment", reference="a-1"),
    )


async def test_a_hold_is_made_captured_in_part_and_closed_for_ever() -> None:
    await two_lots()
    await posted(set_aside(80))
    assert await balances() == (20, 0, 80, 0)
    pins = await fetch_all("SELECT lot_seq, amount FROM points_pin ORDER BY lot_seq")
    assert [(row["lot_seq"], row["amount"]) for row in pins] == [(1, 60), (2, 20)]
    await posted(capture(30))
    assert await balances() == (70, 0, 0, 0)
    [hold] = await fetch_all("SELECT state, captured, owner, reference FROM points_hold")
    assert dict(hold) == {
        "state": "CAPTURED",
        "captured": 30,
        "owner": "shop",
        "reference": "cart-1",
    }
    for again in (capture(), RELEASE):
        refusal = await refused(again)
        assert isinstance(refusal, HoldNotOpen)
        assert refusal.state == "CAPTURED"
    assert await told() == [
        ("EARN", 60, 60),
        ("EARN", 40, 100),
        ("HOLD", -80, 20),
        ("CAPTURE", -30, 70),
    ]


async def test_made_and_captured_in_one_batch() -> None:
    outcomes = await posted(earn(100), set_aside(80), capture(), earn(1))
    assert [one.kind.value for one in outcomes] == ["EARN", "HOLD", "CAPTURE", "EARN"]
    assert await balances() == (21, 0, 0, 0)


async def test_a_capture_over_the_hold_and_an_unknown_hold_are_refused() -> None:
    await two_lots()
    await posted(set_aside(80))
    assert isinstance(await refused(capture(81)), InsufficientPoints)
    assert isinstance(await refused(capture(0)), PointsOutOfRange)
    await posted(RELEASE)
    unknown = await refused(Release(member_id=ALICE, hold_id=UUID(int=9), source=SHOP))
    assert isinstance(unknown, HoldNotOpen)
    assert unknown.state is None
    assert await balances() == (100, 0, 0, 0)


async def test_a_reader_sees_a_hold_run_out_before_anybody_writes_it() -> None:
    await two_lots()
    await posted(set_aside(80))
    assert await balances(now=NOW + days(1)) == (100, 0, 0, 0)
    assert await balances(now=NOW + days(11)) == (40, 0, 0, 0)
    await posted(earn(1), now=NOW + days(11))
    assert (await told())[3:] == [
        ("RELEASE", 80, 100),
        ("EXPIRE", -60, 40),
        ("EARN", 1, 41),
    ]


async def test_parts_of_an_earning_are_taken_back_until_nothing_is_left() -> None:
    await two_lots()
    await posted(redeem(70))
    await posted(take_back(20), take_back(30, cause="r-2"))
    assert await balances() == (0, 0, 0, 20)
    for command, kind in (
        (take_back(11, cause="r-3"), ReversalExceeds),
        (take_back(5), ReversedBefore),
        (take_back(1, entry=3), EntryNotReversible),
        (take_back(1, entry=99), EntryNotReversible),
        (take_back(1, entry=4), EntryNotReversible),
    ):
        assert isinstance(await refused(command), kind)
    await posted(take_back(10, cause="r-3"))
    [row] = await fetch_all("SELECT amount, reversed FROM points_reversed")
    assert (row["amount"], row["reversed"]) == (60, 60)
    assert await balances() == (0, 0, 0, 30)


async def test_a_spending_is_given_back_in_parts_with_its_lots_dates() -> None:
    await two_lots()
    await posted(redeem(70))
    await posted(give_back(15, entry=3), give_back(55, entry=3, cause="r-2"))
    lots = await fetch_all(
        "SELECT earned, expires_at, parent_lot FROM points_lot WHERE parent_lot IS NOT NULL "
        "ORDER BY lot_seq"
    )
    assert [(row["earned"], row["expires_at"], row["parent_lot"]) for row in lots] == [
        (10, NOW + days(20), 2),
        (5, NOW + days(10), 1),
        (55, NOW + days(10), 1),
    ]
    assert isinstance(await refused(give_back(1, entry=3, cause="r-3")), ReversalExceeds)


async def test_a_transfer_moves_lots_and_refuses_oneself() -> None:
    await two_lots()
    [out] = await posted(moved(70))
    assert (out.kind.value, out.amount, out.member_id) == ("TRANSFER_OUT", -70, ALICE)
    assert await told(BOB) == [("TRANSFER_IN", 70, 70)]
    assert await balances() == (30, 0, 0, 0)
    assert await balances(BOB, now=NOW + days(10)) == (10, 0, 0, 0)
    refusal = await refused(moved(1, to=ALICE))
    assert isinstance(refusal, InvalidInput)
    assert isinstance(await refused(moved(31)), InsufficientPoints)


async def test_adjustments_and_maturity_by_an_action() -> None:
    await posted(adjusted(50), adjusted(-20), earn(100, matures=NEVER))
    assert await balances() == (30, 100, 0, 0)
    delivered = Mature(
        member_id=ALICE, entry_seq=3, source=Source(kind="delivery", reference="d-1")
    )
    await posted(delivered)
    assert await balances() == (130, 0, 0, 0)
    assert isinstance(await refused(delivered), EntryNotReversible)
    assert isinstance(await refused(adjusted(POINTS_MAX)), PointsOutOfRange)


async def test_a_frozen_account_spends_nothing() -> None:
    await two_lots()
    await posted(set_aside(10))
    await execute("UPDATE points_account SET frozen_at = $1", NOW)
    for command in (redeem(1), set_aside(1, hold_id=UUID(int=2)), capture(), moved(1)):
        assert isinstance(await refused(command), AccountFrozen)
    await posted(earn(5), RELEASE)
    assert await balances() == (105, 0, 0, 0)


async def test_a_key_answers_with_the_first_result_and_refuses_another_input() -> None:
    await two_lots()
    first = await posted(set_aside(80, known_as=key("h")))
    again = await posted(set_aside(80, known_as=key("h")))
    assert [one.seq for one in again] == [one.seq for one in first]
    assert again[0].replayed
    assert await balances() == (20, 0, 80, 0)
    assert isinstance(await refused(set_aside(70, known_as=key("h"))), IdempotencyConflict)
    await posted(capture(30, known_as=key("c")))
    assert (await posted(capture(30, known_as=key("c"))))[0].replayed
    assert isinstance(await refused(capture(31, known_as=key("c"))), IdempotencyConflict)
