"""The sweeper: what readers reckon is written, in small batches, whoever else writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain import storage
from domain.ledger import EntryKind, Swept, accounts_due, balance, post, sweep, verify_accounts
from domain.ledger import sweeping as sweeper
from domain.ledger.commands import SetAside, TakeBack
from domain.ledger.entries import Source
from domain.outbox import stream
from domain.storage import execute, fetch_all, fetch_one, observed_statements, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")

MEMBERS = [UUID(int=nth) for nth in range(1, 25)]


async def swept(*, at: float, accounts_max: int = 1_000) -> Swept:
    return await sweep(now=NOW + days(at), accounts_max=accounts_max, within_s=60)


async def journal_of(member_id: UUID) -> list[tuple[str, int, int]]:
    rows = await fetch_all(
        "SELECT kind, amount, balance_after FROM points_entry WHERE member_id = $1 ORDER BY seq",
        member_id,
    )
    return [(row["kind"], row["amount"], row["balance_after"]) for row in rows]


async def unsound() -> list[object]:
    rows = await fetch_all("SELECT member_id FROM points_account")
    return list((await verify_accounts([row["member_id"] for row in rows])).violations)


async def many_lots() -> int:
    """Two dozen members with lots that mature, expire, both or neither; how many fall due."""
    lots = [
        (
            earn(10, member_id=member_id, expires=NOW + days(1 + nth % 3)),
            earn(5, member_id=member_id, matures=NOW + days(2), expires=NOW + days(3)),
            earn(3, member_id=member_id, matures=NOW + days(2)),
            earn(1, member_id=member_id, expires=NOW + days(90)),
        )
        for nth, member_id in enumerate(MEMBERS)
    ]
    await post(list(chain.from_iterable(lots)), now=NOW)
    return 4 * len(MEMBERS)


async def test_what_fell_due_is_written_as_a_posting_would() -> None:
    await post(
        [
            earn(100, expires=NOW + days(3)),
            earn(40, matures=NOW + days(1), expires=NOW + days(9)),
            SetAside(
                member_id=ALICE,
                hold_id=UUID(int=1),
                owner="shop",
                points=70,
                expires_at=NOW + days(4),
                source=Source(kind="checkout", reference="cart-1"),
            ),
        ],
        now=NOW,
    )
    shown = await balance(ALICE, now=NOW + days(5))
    found = await swept(at=5)
    assert (found.accounts, found.entries, found.done) == (1, 4, True)
    assert await journal_of(ALICE) == [
        ("EARN", 100, 100),
        ("EARN", 40, 100),
        ("HOLD", -70, 30),
        ("MATURE", 40, 70),
        ("EXPIRE", -30, 40),
        ("RELEASE", 70, 110),
        ("EXPIRE", -70, 40),
    ]
    after = await balance(ALICE, now=NOW + days(5))
    assert (after.available, after.version) == (shown.available, 7) == (40, 7)
    [hold] = await fetch_all("SELECT state FROM points_hold")
    assert hold["state"] == "EXPIRED"
    account = await fetch_one("SELECT next_change_at FROM points_account")
    assert account is not None
    assert account["next_change_at"] == NOW + days(9)
    kinds = [event.facts["kind"] for event in await stream(ALICE, after=3, limit=9)]
    assert kinds == ["MATURE", "EXPIRE", "RELEASE", "EXPIRE"]
    assert await unsound() == []
    again = await swept(at=5)
    assert (again.accounts, again.entries, again.batches, again.done) == (0, 0, 0, True)


async def test_debt_is_paid_by_what_matures() -> None:
    await post([earn(50), redeem(50), earn(80, matures=NOW + days(1))], now=NOW)
    refund = Source(kind="refund", reference="r-1")
    await post([TakeBack(member_id=ALICE, entry_seq=1, points=50, source=refund)], now=NOW)
    await swept(at=1)
    assert (await journal_of(ALICE))[4:] == [("MATURE", 80, 30)]
    assert await unsound() == []


async def test_a_frozen_account_is_left_until_it_is_mended() -> None:
    await post([earn(100, expires=NOW + days(1))], now=NOW)
    await execute("UPDATE points_account SET frozen_at = $1", NOW)
    assert await accounts_due(now=NOW + days(1)) == 0
    assert (await swept(at=1)).entries == 0
    assert (await balance(ALICE, now=NOW + days(1))).available == 0
    await execute("UPDATE points_account SET frozen_at = NULL")
    assert (await swept(at=1)).entries == 1


async def test_one_unsound_account_keeps_no_other_from_being_swept() -> None:
    due = await many_lots()
    broken = MEMBERS[0]
    await execute("UPDATE points_account SET available = 1 WHERE member_id = $1", broken)
    before = await fetch_all("SELECT * FROM points_entry WHERE member_id = $1", broken)
    with capture_logs() as logs:
        found = await sweep(now=NOW + days(5), accounts_max=1_000, within_s=60)
    assert (found.done, found.unsound) == (True, frozenset({broken}))
    assert found.accounts == len(MEMBERS) - 1
    assert 0 < found.entries < due
    assert [(one["event"], one["log_level"]) for one in logs] == [("ledger_unsound", "error")]
    assert await fetch_all("SELECT * FROM points_entry WHERE member_id = $1", broken) == before
    assert await accounts_due(now=NOW + days(5)) == 1


async def test_an_account_with_nothing_due_is_only_planned_anew() -> None:
    await post([earn(100, expires=NOW + days(9))], now=NOW)
    await execute("UPDATE points_account SET next_change_at = $1", NOW + days(1))
    assert await accounts_due(now=NOW + days(2)) == 1
    found = await swept(at=2)
    assert (found.accounts, found.entries, found.done) == (1, 0, True)
    assert await accounts_due(now=NOW + days(2)) == 0
    assert await accounts_due(now=NOW + days(9)) == 1


async def test_batches_are_bounded_and_may_be_left_at_any_of_them() -> None:
    due = await many_lots()
    told: list[Swept] = []
    first = await sweep(now=NOW + days(5), accounts_max=5, within_s=60, progress=told.append)
    assert not first.done
    assert 5 <= first.accounts < len(MEMBERS)
    assert told[-1] == first
    rest = await sweep(now=NOW + days(5), accounts_max=1_000, within_s=60, progress=told.append)
    assert rest.done
    assert first.accounts + rest.accounts == len(MEMBERS)
    assert first.entries + rest.entries == due
    assert await unsound() == []
    none = await sweep(now=NOW + days(5), accounts_max=1_000, within_s=0)
    assert (none.batches, none.done) == (0, False)


async def test_one_account_with_more_than_a_batch_takes_is_swept_in_parts() -> None:
    moments = 8 * sweeper.LOTS_MIN
    await post([earn(1, expires=NOW + days(1 + nth % 3 / 10)) for nth in range(moments)], now=NOW)
    shown = await balance(ALICE, now=NOW + days(1.1))
    told: list[Swept] = []
    found = await sweep(now=NOW + days(1.1), accounts_max=10, within_s=60, progress=told.append)
    assert (found.accounts, found.done) == (1, True)
    assert told[0].entries == sweeper.LOTS_MIN
    assert told[0].accounts == 0
    assert found.batches > 2
    assert found.entries == moments - shown.available
    rows = await fetch_all(
        "SELECT effective_at FROM points_entry WHERE kind = 'EXPIRE' ORDER BY seq"
    )
    effective = [row["effective_at"] for row in rows]
    assert effective == sorted(effective)
    assert await balance(ALICE, now=NOW + days(1.1)) != shown  # Its version is another,
    assert (await balance(ALICE, now=NOW + days(1.1))).available == shown.available
    assert await unsound() == []


async def test_in_parts_what_matures_pays_debt_in_its_order_and_expires_later() -> None:
    await post([earn(500), redeem(500)], now=NOW)
    refund = Source(kind="refund", reference="r-1")
    await post([TakeBack(member_id=ALICE, entry_seq=1, points=500, source=refund)], now=NOW)
    lots = 3 * sweeper.LOTS_MIN
    await post(
        [
            earn(10, matures=NOW + days(2 - nth / lots), expires=NOW + days(3))
            for nth in range(lots)
        ],
        now=NOW,
    )
    for at in (2, 3):
        shown = await balance(ALICE, now=NOW + days(at))
        assert (await swept(at=at)).done
        after = await balance(ALICE, now=NOW + days(at))
        assert (after.available, after.debt) == (shown.available, shown.debt)
        assert await unsound() == []
    assert [kind for kind, _, _ in await journal_of(ALICE)].count(EntryKind.EXPIRE) == lots - 50


async def test_a_batch_takes_a_fixed_number_of_statements() -> None:
    counts: list[int] = []
    for members in (MEMBERS[:2], MEMBERS[2:]):
        commands = [
            earn(1, member_id=member_id, expires=NOW + days(len(counts) + 1))
            for member_id in members
        ]
        await post(commands, now=NOW)
        with observed_statements() as statements:
            await transaction(
                lambda: sweeper._sweep_batch(
                    sweeper._Pace(lots=500, accounts=500),
                    since=sweeper.BEGINNING,
                    but=(),
                    now=NOW + days(len(counts) + 1),
                )
            )
        counts.append(len(statements))
    if storage.dialect() == "postgres":
        assert counts[0] == counts[1] <= 8
    assert await accounts_due(now=NOW + days(2)) == 0


async def test_several_sweepers_and_postings_at_once_write_everything_once(
    tally: Callable[[str, int, int], None],
) -> None:
    due = await many_lots()
    now = NOW + days(5)
    postings = [post([earn(7, member_id=member_id)], now=now) for member_id in MEMBERS[::4]]
    sweepers = [sweep(now=now, accounts_max=1_000, within_s=60) for _ in range(3)]
    await asyncio.gather(*sweepers, *postings)
    assert (await swept(at=5)).done
    rows = await fetch_all(
        "SELECT kind, COUNT(*) AS n FROM points_entry WHERE kind <> 'EARN' GROUP BY kind"
    )
    assert sum(row["n"] for row in rows) == due
    assert await unsound() == []
    tally("entries that sweepers and postings wrote at once", due, 90)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_another_has_locked_is_passed_over() -> None:
    """SQLite has one writer."""
    await post([earn(1, expires=NOW + days(1))], now=NOW)
    await post([earn(1, member_id=BOB, expires=NOW + days(1))], now=NOW)
    locked, done = asyncio.Event(), asyncio.Event()

    async def hold_on() -> None:
        await fetch_all(
            "SELECT 1 FROM points_account WHERE member_id = $1 FOR NO KEY UPDATE", ALICE
        )
        locked.set()
        await done.wait()

    holding = asyncio.create_task(transaction(hold_on))
    await locked.wait()
    found = await swept(at=1)
    assert (found.accounts, found.done) == (1, True)
    assert [kind for kind, _, _ in await journal_of(BOB)] == ["EARN", "EXPIRE"]
    done.set()
    await holding
    assert (await swept(at=1)).accounts == 1
