"""Pages of the journal: by kinds, and with the lots that entries moved."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.ledger import (
    EntryKind,
    JournalEntry,
    entries_of,
    entry,
    journal,
    lots_of,
    post,
)
from domain.ledger.commands import Capture, GiveBack, Release, SetAside, TakeBack, Transfer
from domain.ledger.entries import Source
from domain.ledger.pages import LOTS_MAX
from domain.paging import PageRequest
from domain.storage import observed_statements
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

HOLD = UUID(int=77)
ORDER = Source(kind="checkout", reference="order-1")


def set_aside(points: int, *, hold_id: UUID = HOLD) -> SetAside:
    return SetAside(
        member_id=ALICE,
        hold_id=hold_id,
        owner="shop",
        points=points,
        expires_at=NOW + days(1),
        source=ORDER,
    )


async def told(seq: int, *, member_id: UUID = ALICE, later: float = 0) -> list[tuple[int, int]]:
    """The lots of one entry: number and points."""
    lots = await lots_of(member_id, [seq], now=NOW + days(later))
    return [(lot.lot_seq, lot.points) for lot in lots[seq]]


@pytest.mark.usefixtures("database")
async def test_lots_are_named_as_made_drawn_or_set_aside() -> None:
    await post(
        [
            earn(100, expires=NOW + days(30)),  # 1: lot 1
            earn(50, expires=NOW + days(20)),  # 2: lot 2
            redeem(70),  # 3: lot 2, then lot 1
            set_aside(60),  # 4
            Capture(member_id=ALICE, hold_id=HOLD, points=40, source=ORDER),  # 5
        ],
        now=NOW,
    )
    await post(
        [
            GiveBack(  # 6: lots 3 and 4
                member_id=ALICE,
                entry_seq=3,
                points=70,
                grace_until=NOW + days(90),
                source=Source(kind="refund", reference="r-1"),
            ),
            Transfer(member_id=ALICE, to_member_id=BOB, points=60, source=ORDER),  # 7
            TakeBack(  # 8
                member_id=ALICE,
                entry_seq=1,
                points=10,
                source=Source(kind="refund", reference="r-2"),
            ),
        ],
        now=NOW,
    )
    assert await told(1) == [(1, 100)]
    assert await told(2) == [(2, 50)]
    assert await told(3) == [(2, 50), (1, 20)]
    assert await told(4) == []  # No longer open.
    assert await told(5) == [(1, 40)]
    assert sorted(await told(6)) == [(3, 20), (4, 50)]
    assert await told(7) == [(4, 50), (1, 10)]
    assert await told(8) == [(1, 10)]
    assert await told(1, member_id=BOB) == [(1, 50), (2, 10)]
    assert await told(9) == []
    [lot] = (await lots_of(ALICE, [2], now=NOW))[2]
    assert (lot.earned_at, lot.expires_at) == (NOW, NOW + days(20))
    reversal = await entry(ALICE, seq=8)
    assert reversal is not None
    assert reversal.reverses == 1
    assert [*await entries_of(ALICE, [1, 8, 99])] == [1, 8]
    with observed_statements() as statements:
        lots = await lots_of(ALICE, range(1, 9), now=NOW)
    assert len(statements) == 1
    assert {seq: len(found) for seq, found in lots.items()} == {
        1: 1, 2: 1, 3: 2, 4: 0, 5: 1, 6: 2, 7: 2, 8: 1,
    }  # fmt: skip
    assert await lots_of(ALICE, [], now=NOW) == {}


@pytest.mark.usefixtures("database")
async def test_a_hold_names_what_it_pins_as_long_as_it_is_open() -> None:
    await post([earn(100), set_aside(60)], now=NOW)
    assert await told(2) == [(1, 60)]
    assert await told(2, later=0.999) == [(1, 60)]
    assert await told(2, later=1) == []
    await post([Release(member_id=ALICE, hold_id=HOLD, source=ORDER)], now=NOW)
    assert await told(2) == []


@pytest.mark.usefixtures("database")
async def test_an_earning_that_paid_debt_names_its_own_lot() -> None:
    await post([earn(100), redeem(100)], now=NOW)
    cause = Source(kind="refund", reference="r")
    back = TakeBack(member_id=ALICE, entry_seq=1, points=30, source=cause)
    await post([back, earn(50)], now=NOW)
    assert await told(3) == []  # All of it became debt.
    assert await told(4) == [(2, 50)]


@pytest.mark.usefixtures("database")
async def test_a_spending_of_very_many_lots_names_the_first_of_them() -> None:
    await post([earn(1, expires=NOW + days(n)) for n in range(1, 61)], now=NOW)
    await post([redeem(60)], now=NOW)
    assert await told(61) == [(n, 1) for n in range(1, LOTS_MAX + 1)]


@pytest.mark.usefixtures("database")
async def test_pages_of_some_kinds_are_merged_newest_first() -> None:
    await post([earn(1_000), earn(1, member_id=BOB)], now=NOW)
    for number in range(12):
        await post([redeem(1), set_aside(2, hold_id=UUID(int=number))], now=NOW)
    everything = (await journal(ALICE, PageRequest(first=100))).items
    assert [one.seq for one in everything] == list(range(25, 0, -1))
    for kinds in (
        [EntryKind.HOLD],
        [EntryKind.EARN, EntryKind.HOLD, EntryKind.HOLD],
        [EntryKind.REVERSAL],
        [EntryKind.EARN, EntryKind.REDEEM, EntryKind.EXPIRE],
        list(EntryKind),
    ):
        wanted = [one for one in everything if one.kind in kinds]
        seen: list[JournalEntry] = []
        request, more = PageRequest(first=5), True
        while more:
            with observed_statements() as statements:
                page = await journal(ALICE, request, kinds=kinds)
            assert len(statements) == 1
            assert len(page.items) <= 5
            seen += page.items
            more = page.has_next
            if more:
                request = PageRequest(first=5, after=page.keys[-1])
        assert seen == wanted, kinds
