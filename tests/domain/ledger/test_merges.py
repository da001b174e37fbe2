"""Two accounts of one person become one, and are parted again: every point and every date told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from domain.errors import AccountFrozen, HoldNotOpen, PointsOutOfRange
from domain.ledger import POINTS_MAX, Source, balance, post, post_one, verify_account
from domain.ledger.commands import Release, SetAside, TakeBack
from domain.ledger.merges import AccountsMerged, merge_accounts, part_accounts
from domain.storage import execute, fetch_all, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem
from tests.domain.ledger.kept import ledger_kept

pytestmark = pytest.mark.usefixtures("database")

MERGE = UUID(int=7)
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
