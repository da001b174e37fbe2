"""Reading: balances as of now without a write, what expires soon, pages of the journal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import Refusal
from domain.ledger import (
    Balance,
    EntryKind,
    ExpiringPoints,
    JournalEntry,
    Source,
    balance,
    entry,
    expires_first,
    journal,
    post,
    verify_account,
)
from domain.paging import Page, PageRequest
from domain.storage import observed_statements
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

MOMENT = timedelta(microseconds=1)


async def test_a_member_without_an_account_has_no_points() -> None:
    assert await balance(ALICE, now=NOW) == Balance()
    assert await journal(ALICE, PageRequest(first=10)) == Page(items=[], keys=[], has_next=False)
    assert await entry(ALICE, seq=1) is None


async def test_balances_change_as_time_passes_without_a_write() -> None:
    await post(
        [
            earn(100, expires=NOW + days(40)),
            earn(30, matures=NOW + days(7), expires=NOW + days(50)),
            earn(5, matures=NOW + days(60), expires=NOW + days(45)),
        ],
        now=NOW,
    )
    before = await everything_kept()
    for moment, available, pending in [
        (NOW, 100, 35),
        (NOW + days(7) - MOMENT, 100, 35),
        (NOW + days(7), 130, 5),
        (NOW + days(40) - MOMENT, 130, 5),
        (NOW + days(40), 30, 5),
        (NOW + days(45), 30, 0),
        (NOW + days(50), 0, 0),
        (NOW + days(5_000), 0, 0),
    ]:
        with observed_statements() as statements:
            seen = await balance(ALICE, now=moment)
        assert (seen.available, seen.pending) == (available, pending), moment
        # The version counts what is written: a client that holds it has seen those entries.
        assert (seen.version, seen.held, seen.debt) == (3, 0, 0)
        assert len(statements) == 1
    assert await everything_kept() == before


async def test_the_balance_shown_is_the_one_that_a_posting_finds() -> None:
    await post([earn(9, expires=NOW + days(3)), earn(5, matures=NOW + days(2))], now=NOW)
    for day in range(5):
        shown = (await balance(ALICE, now=NOW + days(day))).available
        refused, spent = await post([redeem(shown + 1), redeem(1)], now=NOW + days(day))
        assert isinstance(refused, Refusal)
        assert not isinstance(spent, Refusal)
        assert spent.balance_after == shown - 1
    assert await verify_account(ALICE) == []


async def test_what_expires_within_thirty_days_is_summed_by_moment() -> None:
    await post(
        [
            earn(1, expires=NOW + days(30) + MOMENT),
            earn(2, expires=NOW + days(30)),
            earn(4, expires=NOW + days(10)),
            earn(8, expires=NOW + days(10)),
            earn(16, matures=NOW + days(5), expires=NOW + days(6)),
            earn(32, member_id=BOB, expires=NOW + days(10)),
        ],
        now=NOW,
    )
    assert (await balance(ALICE, now=NOW)).expiring_soon == (
        ExpiringPoints(points=12, expires_at=NOW + days(10)),
        ExpiringPoints(points=2, expires_at=NOW + days(30)),
    )
    # Once they mature, points that expire soon are told; what has expired is not.
    assert (await balance(ALICE, now=NOW + days(5))).expiring_soon[0] == ExpiringPoints(
        points=16, expires_at=NOW + days(6)
    )
    assert (await balance(ALICE, now=NOW + days(10))).expiring_soon == (
        ExpiringPoints(points=2, expires_at=NOW + days(30)),
        ExpiringPoints(points=1, expires_at=NOW + days(30) + MOMENT),
    )
    await post([redeem(20)], now=NOW + days(5))
    assert (await balance(ALICE, now=NOW + days(5))).expiring_soon == (
        ExpiringPoints(points=8, expires_at=NOW + days(10)),
        ExpiringPoints(points=2, expires_at=NOW + days(30)),
        ExpiringPoints(points=1, expires_at=NOW + days(30) + MOMENT),
    )


async def test_at_most_twelve_moments_of_expiry_are_told() -> None:
    await post([earn(1, expires=NOW + days(n)) for n in range(20, 0, -1)], now=NOW)
    told = (await balance(ALICE, now=NOW)).expiring_soon
    assert [expiring.expires_at for expiring in told] == [NOW + days(n) for n in range(1, 13)]


async def test_what_expires_before_all_else_is_told_however_far_off() -> None:
    assert await expires_first(ALICE, now=NOW) is None
    await post([earn(1)], now=NOW)
    assert await expires_first(ALICE, now=NOW) is None, "nothing of it expires"
    await post(
        [
            earn(2, expires=NOW + days(900)),
            earn(4, expires=NOW + days(800)),
            earn(8, expires=NOW + days(800)),
            earn(16, matures=NOW + days(5), expires=NOW + days(6)),
            earn(32, member_id=BOB, expires=NOW + days(10)),
        ],
        now=NOW,
    )
    before = await everything_kept()
    for moment, points, expires in [
        (NOW, 12, 800),
        (NOW + days(5) - MOMENT, 12, 800),
        (NOW + days(5), 16, 6),
        (NOW + days(6), 12, 800),
        (NOW + days(800), 2, 900),
    ]:
        with observed_statements() as statements:
            told = await expires_first(ALICE, now=moment)
        assert told == ExpiringPoints(points=points, expires_at=NOW + days(expires)), moment
        assert len(statements) == 1
    assert await expires_first(ALICE, now=NOW + days(900)) is None
    assert await everything_kept() == before
    # What is spent is what expires first.
    await post([redeem(7)], now=NOW)
    assert await expires_first(ALICE, now=NOW) == ExpiringPoints(
        points=5, expires_at=NOW + days(800)
    )


async def test_an_entry_is_read_with_its_texts_and_source() -> None:
    await post(
        [
            earn(100, at=NOW - days(3), reason="订单"),
            redeem(30, source=Source(kind="reward", reference="coupon 🎁"), reason="兑换"),
        ],
        now=NOW,
    )
    assert await entry(ALICE, seq=2) == JournalEntry(
        member_id=ALICE,
        seq=2,
        kind=EntryKind.REDEEM,
        amount=-30,
        balance_after=70,
        reason="兑换",
        effective_at=NOW,
        recorded_at=NOW,
        source=Source(kind="reward", reference="coupon 🎁"),
    )
    earning = await entry(ALICE, seq=1)
    assert earning is not None
    assert (earning.effective_at, earning.recorded_at) == (NOW - days(3), NOW)
    assert await entry(ALICE, seq=3) is None
    assert await entry(ALICE, seq=0) is None
    assert await entry(BOB, seq=1) is None


async def test_pages_of_the_journal_are_newest_first_and_meet_without_a_gap() -> None:
    await post([earn(n) for n in range(1, 26)], now=NOW)
    await post([earn(99, member_id=BOB)], now=NOW)
    pages: list[list[int]] = []
    request, more = PageRequest(first=10), True
    while more:
        with observed_statements() as statements:
            page = await journal(ALICE, request)
        assert len(statements) == 1
        assert page.keys == [(line.seq,) for line in page.items]
        pages.append([line.seq for line in page.items])
        request, more = PageRequest(first=10, after=page.keys[-1]), page.has_next
    assert pages == [list(range(25, 15, -1)), list(range(15, 5, -1)), [5, 4, 3, 2, 1]]


async def test_due_changes_have_entries_without_words() -> None:
    await post([earn(10, expires=NOW + days(1))], now=NOW)
    await post([earn(1)], now=NOW + days(2))
    expiry = await entry(ALICE, seq=2)
    assert expiry is not None
    assert (expiry.kind, expiry.amount, expiry.reason) == (EntryKind.EXPIRE, -10, None)
    assert expiry.source == Source(kind="expiry", reference="")
    assert (expiry.effective_at, expiry.recorded_at) == (NOW + days(1), NOW + days(2))
