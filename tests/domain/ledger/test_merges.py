"""Two accounts of one person become one, and are parted again: every point and every date told."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import pytest

from domain.errors import (
    AccountFrozen,
    HoldNotOpen,
    InvalidInput,
    PointsOutOfRange,
    ReversedBefore,
)
from domain.ledger import (
    NEVER,
    POINTS_MAX,
    EntryKind,
    Posted,
    Source,
    balance,
    merges,
    post,
    post_one,
    verify_account,
)
from domain.ledger.commands import Command, GiveBack, Mature, Release, SetAside, TakeBack, Transfer
from domain.ledger.merges import AccountsMerged, merge_accounts, part_accounts
from domain.storage import execute, fetch_all, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem
from tests.domain.ledger.kept import ledger_kept

pytestmark = pytest.mark.usefixtures("database")

MERGE = UUID(int=7)
CAROL = UUID(int=9)
NEVER_DAYS = (NEVER - NOW).days
LATER = NOW + days(1)
SOURCE = Source(kind="test", reference="1")


async def merge(at: datetime = NOW) -> AccountsMerged:
    return await transaction(lambda: merge_accounts(BOB, ALICE, merge_id=MERGE, now=at))


async def part(merged: AccountsMerged, at: datetime = LATER) -> int:
    return await transaction(
        lambda: part_accounts(BOB, ALICE, merge_id=MERGE, since=merged.since, now=at)
    )


async def balances(member_id: UUID, at: datetime = NOW) -> tuple[int, int, int, int]:
    found = await balance(member_id, now=at)
    return found.available, found.pending, found.held, found.debt


async def lots(member_id: UUID) -> list[tuple[int, bool, int]]:
    """What remains of each lot, and when it expires: in the order of spending."""
    rows = await fetch_all(
        "SELECT remaining, pending, expires_at FROM points_lot"
        " WHERE member_id = $1 AND remaining > 0 ORDER BY expires_at, lot_seq",
        member_id,
    )
    return [(row["remaining"], row["pending"], (row["expires_at"] - NOW).days) for row in rows]


async def owing(member_id: UUID, debt: int) -> None:
    posted = await post_one(earn(debt, member_id=member_id), now=NOW)
    await post_one(redeem(debt, member_id=member_id), now=NOW)
    taken = TakeBack(member_id=member_id, entry_seq=posted.seq, points=debt, source=SOURCE)
    await post_one(taken, now=NOW)


async def sound() -> None:
    assert await verify_account(ALICE) == []
    assert await verify_account(BOB) == []


async def test_lots_keep_their_dates_and_a_hold_is_released() -> None:
    await post(
        [
            earn(100, expires=NOW + days(30)),
            earn(60, member_id=BOB, expires=NOW + days(20)),
            earn(40, member_id=BOB, expires=NOW + days(50)),
            earn(30, member_id=BOB, matures=NOW + days(5), expires=NOW + days(60)),
            SetAside(
                member_id=BOB,
                hold_id=UUID(int=1),
                owner="shop",
                points=70,
                expires_at=NOW + days(2),
                source=SOURCE,
            ),
        ],
        now=NOW,
    )
    merged = await merge()
    assert merged == AccountsMerged(since=2, net=130)
    assert await balances(BOB) == (0, 0, 0, 0)
    assert await balances(ALICE) == (200, 30, 0, 0)
    assert await lots(ALICE) == [(60, False, 20), (100, False, 30), (40, False, 50), (30, True, 60)]
    assert await lots(BOB) == []
    [refused] = await post([Release(member_id=BOB, hold_id=UUID(int=1), source=SOURCE)], now=NOW)
    assert isinstance(refused, HoldNotOpen)
    assert refused.state == "RELEASED"
    await sound()

    assert await part(merged) == 130
    assert await balances(ALICE) == (100, 0, 0, 0)
    assert await balances(BOB) == (100, 30, 0, 0)
    assert await lots(BOB) == [(60, False, 20), (40, False, 50), (30, True, 60)]
    await sound()


async def test_what_came_pays_the_keepers_debt_until_they_are_parted() -> None:
    await owing(ALICE, 25)
    await post([earn(60, member_id=BOB, expires=NOW + days(20))], now=NOW)
    merged = await merge()
    assert (await balances(ALICE), await balances(BOB)) == ((35, 0, 0, 0), (0, 0, 0, 0))
    await sound()
    assert await part(merged) == 60
    assert (await balances(ALICE), await balances(BOB)) == ((0, 0, 0, 25), (60, 0, 0, 0))
    assert await lots(BOB) == [(35, False, 20), (25, False, 20)]
    await sound()


async def test_what_the_keeper_has_pays_the_debt_that_came_until_they_are_parted() -> None:
    await owing(BOB, 25)
    await post([earn(60, expires=NOW + days(20))], now=NOW)
    merged = await merge()
    assert merged.net == -25
    assert (await balances(ALICE), await balances(BOB)) == ((35, 0, 0, 0), (0, 0, 0, 0))
    await sound()
    assert await part(merged) == -25
    assert (await balances(ALICE), await balances(BOB)) == ((60, 0, 0, 0), (0, 0, 0, 25))
    await sound()


async def test_a_net_of_nothing_moves_all_the_same() -> None:
    await owing(BOB, 25)
    await post([earn(25, member_id=BOB, matures=NOW + days(5))], now=NOW)
    merged = await merge()
    assert merged == AccountsMerged(since=1, net=0)
    assert (await balances(ALICE), await balances(BOB)) == ((0, 25, 0, 25), (0, 0, 0, 0))
    await sound()
    assert await part(merged) == 0
    assert (await balances(ALICE), await balances(BOB)) == ((0, 0, 0, 0), (0, 25, 0, 25))
    await sound()


async def test_what_was_spent_meanwhile_stays_spent() -> None:
    await post(
        [
            earn(100, expires=NOW + days(30)),
            earn(60, member_id=BOB, expires=NOW + days(20)),
        ],
        now=NOW,
    )
    merged = await merge()
    await post([redeem(45)], now=NOW)
    assert await part(merged) == 15
    assert (await balances(ALICE), await balances(BOB)) == ((100, 0, 0, 0), (15, 0, 0, 0))
    await sound()


async def test_an_account_of_nothing_is_closed_without_an_entry() -> None:
    before = await ledger_kept("points_entry")
    assert await merge() == AccountsMerged(since=1, net=0)
    assert await ledger_kept("points_entry") == before
    rows = await fetch_all("SELECT member_id, merged_into FROM points_account")
    assert [dict(row) for row in rows] == [{"member_id": BOB, "merged_into": ALICE}]
    await sound()


@pytest.mark.parametrize("frozen", [ALICE, BOB])
async def test_a_frozen_account_is_not_merged(frozen: UUID) -> None:
    await post([earn(5), earn(5, member_id=BOB)], now=NOW)
    await execute("UPDATE points_account SET frozen_at = $1 WHERE member_id = $2", NOW, frozen)
    before = await ledger_kept()
    with pytest.raises(AccountFrozen):
        await merge()
    assert await ledger_kept() == before


async def test_more_than_points_can_be_is_not_merged() -> None:
    await post([earn(POINTS_MAX), earn(1, member_id=BOB)], now=NOW)
    before = await ledger_kept()
    with pytest.raises(PointsOutOfRange):
        await merge()
    assert await ledger_kept() == before


def taking_back(points: int, *, entry: int, cause: str = "R1") -> TakeBack:
    source = Source(kind="refund", reference=cause)
    return TakeBack(member_id=BOB, entry_seq=entry, points=points, source=source)


async def test_what_is_new_is_the_heirs() -> None:
    await post([earn(10), earn(5, member_id=BOB)], now=NOW)
    await merge()
    outcomes = await post(
        [earn(7, member_id=BOB), redeem(20, member_id=BOB), earn(1, member_id=ALICE)], now=NOW
    )
    assert [(one.member_id, one.amount) for one in outcomes if isinstance(one, Posted)] == [
        (ALICE, 7),
        (ALICE, -20),
        (ALICE, 1),
    ]
    assert (await balances(ALICE), await balances(BOB)) == ((3, 0, 0, 0), (0, 0, 0, 0))
    given = Transfer(member_id=BOB, to_member_id=ALICE, points=1, source=SOURCE)
    [refused] = await post([given], now=NOW)
    assert isinstance(refused, InvalidInput)
    await sound()


async def test_an_earning_of_the_closed_journal_is_taken_back_from_its_own_lot_first() -> None:
    await post([earn(100, expires=NOW + days(5)), earn(60, member_id=BOB)], now=NOW)
    merged = await merge()
    taken = await post_one(taking_back(25, entry=1), now=NOW)
    assert (taken.member_id, taken.kind, taken.amount) == (BOB, EntryKind.REVERSAL, -25)
    assert await lots(ALICE) == [(100, False, 5), (35, False, NEVER_DAYS)]
    with pytest.raises(ReversedBefore):
        await post_one(taking_back(1, entry=1), now=NOW)
    await sound()
    assert await part(merged) == 35
    assert (await balances(ALICE), await balances(BOB)) == ((100, 0, 0, 0), (35, 0, 0, 0))
    await sound()


async def test_more_than_is_left_of_it_is_taken_from_others_and_then_owed() -> None:
    await post([earn(20), earn(60, member_id=BOB, expires=NOW + days(5))], now=NOW)
    merged = await merge()
    await post([redeem(50)], now=NOW)
    await post_one(taking_back(60, entry=1), now=NOW)
    assert await balances(ALICE) == (0, 0, 0, 30)
    await sound()
    # Of Bob's points none is left, and of what he owes all but what his own lot paid.
    assert await part(merged) == -50
    assert (await balances(ALICE), await balances(BOB)) == ((20, 0, 0, 0), (0, 0, 0, 50))
    await sound()


async def test_what_waits_is_taken_back_and_matures_in_the_heirs_account() -> None:
    waiting = earn(60, member_id=BOB, matures=NOW + days(5), expires=NOW + days(9))
    await post([earn(10), waiting], now=NOW)
    await merge()
    await post_one(taking_back(15, entry=1), now=NOW)
    assert await balances(ALICE) == (10, 45, 0, 0)
    ripe = await post_one(Mature(member_id=BOB, entry_seq=1, source=SOURCE), now=NOW)
    assert (ripe.member_id, ripe.amount) == (ALICE, 45)
    assert await balances(ALICE) == (55, 0, 0, 0)
    await sound()


async def test_what_the_closed_account_had_spent_comes_back_to_the_heir() -> None:
    await post([earn(60, member_id=BOB, expires=NOW + days(9)), redeem(40, member_id=BOB)], now=NOW)
    merged = await merge()
    back = GiveBack(member_id=BOB, entry_seq=2, points=30, grace_until=NOW + days(2), source=SOURCE)
    await post([back, taking_back(5, entry=1)], now=NOW)
    assert (await balances(ALICE), await balances(BOB)) == ((45, 0, 0, 0), (0, 0, 0, 0))
    assert sum(remaining for remaining, _, expires in await lots(ALICE) if expires == 9) == 45
    await sound()
    assert await part(merged) == 45
    assert (await balances(ALICE), await balances(BOB)) == ((0, 0, 0, 0), (45, 0, 0, 0))
    await sound()


async def test_of_three_records_the_last_has_it_all() -> None:
    await post([earn(5), earn(60, member_id=BOB), earn(7, member_id=CAROL)], now=NOW)
    await merge()

    async def again() -> AccountsMerged:
        return await merge_accounts(ALICE, CAROL, merge_id=UUID(int=8), now=NOW)

    await transaction(again)
    await post([taking_back(25, entry=1), earn(2, member_id=BOB)], now=NOW)
    assert await balances(CAROL) == (49, 0, 0, 0)
    assert sorted(remaining for remaining, _, _ in await lots(CAROL)) == [2, 5, 7, 35]
    await sound()
    assert await verify_account(CAROL) == []


async def merge_of_carol(into: UUID) -> None:
    async def work() -> AccountsMerged:
        return await merge_accounts(CAROL, into, merge_id=UUID(int=8), now=NOW)

    await transaction(work)


CAROLS: Final[list[Command]] = [earn(60, member_id=CAROL), redeem(60, member_id=CAROL)]
CAROLS_BACK: Final = GiveBack(
    member_id=CAROL, entry_seq=2, points=60, grace_until=NOW + days(9), source=SOURCE
)


async def test_what_a_third_record_gets_back_meanwhile_stays_the_keepers() -> None:
    await post([earn(3), earn(5, member_id=BOB), *CAROLS], now=NOW)
    await merge_of_carol(ALICE)
    merged = await merge()
    await post_one(CAROLS_BACK, now=NOW)
    assert await balances(ALICE) == (68, 0, 0, 0)
    assert await part(merged) == 5
    assert (await balances(ALICE), await balances(BOB)) == ((63, 0, 0, 0), (5, 0, 0, 0))
    await sound()


async def test_what_a_third_record_owes_meanwhile_stays_the_keepers() -> None:
    await post([earn(5, member_id=BOB), *CAROLS], now=NOW)
    await merge_of_carol(ALICE)
    merged = await merge()
    await post_one(TakeBack(member_id=CAROL, entry_seq=1, points=60, source=SOURCE), now=NOW)
    assert await balances(ALICE) == (0, 0, 0, 55)
    # Bob's five paid what Carol's record owed: they were spent meanwhile.
    assert await part(merged) == 0
    assert (await balances(ALICE), await balances(BOB)) == ((0, 0, 0, 55), (0, 0, 0, 0))
    await sound()


async def test_what_a_record_merged_before_gets_back_meanwhile_is_the_losers() -> None:
    await post([earn(3), earn(5, member_id=BOB), *CAROLS], now=NOW)
    await merge_of_carol(BOB)
    merged = await merge()
    await post_one(CAROLS_BACK, now=NOW)
    assert await balances(ALICE) == (68, 0, 0, 0)
    assert await part(merged) == 65
    assert (await balances(ALICE), await balances(BOB)) == ((3, 0, 0, 0), (65, 0, 0, 0))
    await sound()


async def rules_broken() -> set[tuple[UUID, str]]:
    found = [*await verify_account(ALICE), *await verify_account(BOB)]
    return {(one.member_id, one.rule) for one in found}


async def test_an_audit_finds_points_that_went_over_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await post([earn(10), earn(5, member_id=BOB)], now=NOW)
    monkeypatch.setattr(merges, "handing_writes", lambda handings: ())
    await merge()
    assert await rules_broken() == {(ALICE, "merges"), (BOB, "merges")}


async def test_an_audit_finds_points_in_an_account_that_was_given_up() -> None:
    await post([earn(5, member_id=BOB)], now=NOW)
    await execute("UPDATE points_account SET merged_into = $1 WHERE member_id = $2", ALICE, BOB)
    assert await rules_broken() == {(BOB, "merges")}
