"""The continuous audit: what it covers, where it goes on, what becomes of accounts that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain.audit import AuditEntry, Target, entries
from domain.errors import AccountFrozen, Refusal
from domain.ledger import (
    NEVER,
    LedgerAudit,
    Posted,
    Source,
    StillViolated,
    Walk,
    audit_by_hand,
    audit_ledger,
    balance,
    entries_to_audit,
    frozen_accounts,
    post,
    unfreeze_account,
    verify_accounts,
)
from domain.ledger.auditing import audits, verification
from domain.ledger.commands import Adjust, Capture, Command, SetAside, Transfer
from domain.paging import PageRequest
from domain.storage import execute, transaction
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")

CAROL = UUID("01a20561-c68e-7607-9dc0-72a415743b12")
MEMBERS = [ALICE, BOB, CAROL]
TONIGHT = Walk(name="nightly", slot_at=NOW)


async def histories(count: int = 3) -> None:
    """Each of three members earns so often."""
    commands = [earn(10, member_id=one) for one in MEMBERS for _ in range(count)]
    assert all(isinstance(one, Posted) for one in await post(commands, now=NOW))


async def audited(**how: Any) -> LedgerAudit:
    return await audit_ledger(by=OPERATOR, now=how.pop("now", NOW), **how)


def found(audit: LedgerAudit) -> tuple[int, int, int, bool]:
    return (
        audit.accounts_checked,
        audit.entries_checked,
        audit.violations_found,
        audit.complete,
    )


async def steal_from(member_id: UUID) -> None:
    await execute("UPDATE points_account SET available = 999 WHERE member_id = $1", member_id)


async def mend(member_id: UUID) -> None:
    await execute("UPDATE points_account SET available = 30 WHERE member_id = $1", member_id)


async def log(count: int) -> list[AuditEntry]:
    """The newest rows of the audit log, oldest first."""
    return list(reversed((await entries(PageRequest(first=count))).items))


async def test_a_complete_audit_counts_all_that_it_checks() -> None:
    assert found(await audited()) == (0, 0, 0, True)
    await histories()
    assert await entries_to_audit() == 9
    told: list[int] = []
    assert found(await audited(told=told.append)) == (3, 9, 0, True)
    assert found(await audited(told=told.append)) == (3, 9, 0, True)
    assert told == [9, 9]


async def test_an_account_that_fails_is_frozen_for_debits_and_earns_on() -> None:
    await histories()
    hold = SetAside(
        member_id=BOB,
        hold_id=UUID(int=7),
        owner="shop",
        points=5,
        expires_at=NOW + days(1),
        source=Source(kind="checkout", reference="cart"),
    )
    await post([hold], now=NOW)
    await steal_from(BOB)
    with capture_logs() as logs:
        audit = await audited()
    assert (audit.frozen, audit.violations_found) == ((BOB,), 2)
    assert {(one.rule, one.member_id) for one in audit.violations} == {("sum", BOB), ("lots", BOB)}
    [alert] = [line for line in logs if line["event"] == "ledger_violation"]
    assert (alert["log_level"], alert["member_id"], alert["found"]) == ("error", str(BOB), 2)
    assert alert["violations"][0] == "sum: available is 999, its changes sum to 25"
    assert await frozen_accounts() == 1

    source = Source(kind="tests", reference="t-1")
    debits: list[Command] = [
        redeem(1, member_id=BOB),
        Adjust(member_id=BOB, points=-1, reason="x", source=source, expires_at=NEVER),
        Transfer(member_id=BOB, to_member_id=ALICE, points=1, source=source),
        SetAside(
            member_id=BOB,
            hold_id=UUID(int=8),
            owner="shop",
            points=1,
            expires_at=NOW + days(1),
            source=source,
        ),
        Capture(member_id=BOB, hold_id=UUID(int=7), source=source),
    ]
    assert [type(one) for one in await post(debits, now=NOW)] == [AccountFrozen] * 5
    credits: list[Command] = [
        earn(5, member_id=BOB),
        Transfer(member_id=ALICE, to_member_id=BOB, points=1, source=source),
    ]
    assert [isinstance(one, Posted) for one in await post(credits, now=NOW)] == [True, True]

    # They believed the journal, not the row, which is right again by that. It stays frozen.
    with capture_logs() as logs:
        again = await audited(now=NOW + days(1))
    assert (again.frozen, again.violations_found, logs) == ((), 0, [])
    assert await frozen_accounts() == 1


async def test_the_audit_log_tells_of_freezing_and_releasing() -> None:
    await histories()
    await steal_from(BOB)
    await audited()
    [row] = await log(5)
    assert (row.actor, row.action, row.target) == (
        OPERATOR.name,
        "points.freeze",
        Target(kind="member", id=str(BOB)),
    )
    assert row.after == '{"frozenAt":"2026-03-01T04:00:00+00:00","rules":["lots","sum"]}'
    with pytest.raises(StillViolated) as refused:
        await unfreeze_account(BOB, by=OPERATOR, now=NOW)
    assert [one.rule for one in refused.value.violations] == ["sum", "lots"]
    assert await frozen_accounts() == 1
    await mend(BOB)
    assert await unfreeze_account(BOB, by=OPERATOR, now=NOW)
    assert not await unfreeze_account(BOB, by=OPERATOR, now=NOW)
    assert not await unfreeze_account(UUID(int=1), by=OPERATOR, now=NOW)
    assert [one.action for one in await log(5)] == ["points.freeze", "points.unfreeze"]
    [outcome] = await post([redeem(30, member_id=BOB)], now=NOW)
    assert isinstance(outcome, Posted)
    await audit_by_hand(by=OPERATOR, now=NOW)
    assert (await log(1))[0].after == ('{"accounts":3,"complete":true,"entries":10,"violations":0}')


async def test_only_what_changed_is_audited_each_minute() -> None:
    await histories()
    assert found(await audited(complete=False)) == (3, 9, 0, True)
    assert found(await audited(complete=False)) == (0, 0, 0, True)
    await post([redeem(1, member_id=CAROL)], now=NOW)
    assert found(await audited(complete=False)) == (1, 4, 0, True)
    # What fails stays to be audited until it is mended.
    await post([redeem(1, member_id=CAROL)], now=NOW)
    await steal_from(CAROL)
    for _ in range(2):
        assert found(await audited(complete=False)) == (1, 5, 2, True)
    await execute("UPDATE points_account SET available = 28 WHERE member_id = $1", CAROL)
    assert found(await audited(complete=False)) == (1, 5, 0, True)
    assert found(await audited(complete=False)) == (0, 0, 0, True)


async def test_what_is_frozen_is_left_out_where_that_is_asked_for() -> None:
    await histories()
    await steal_from(BOB)
    assert found(await audited(complete=False, frozen=False)) == (3, 9, 2, True)
    assert found(await audited(complete=False, frozen=False)) == (0, 0, 0, True)
    assert found(await audited(complete=False)) == (1, 3, 2, True)
    await mend(BOB)
    assert await unfreeze_account(BOB, by=OPERATOR, now=NOW)
    assert found(await audited(complete=False, frozen=False)) == (1, 3, 0, True)


async def test_an_audit_inside_a_transaction_is_a_fault() -> None:
    """It would see one batch at several moments, and freeze accounts that are sound."""
    await histories()
    with pytest.raises(AssertionError, match="snapshots of its own"):
        await transaction(audited)


async def test_of_a_long_history_only_the_new_entries_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verification, "SHORT", 2)
    monkeypatch.setattr(verification, "ENTRIES_OF_A_PAGE", 2)
    await histories(5)
    assert found(await audited(complete=False)) == (3, 15, 0, True)
    hold = SetAside(
        member_id=ALICE,
        hold_id=UUID(int=7),
        owner="shop",
        points=25,
        expires_at=NOW + days(1),
        source=Source(kind="checkout", reference="cart"),
    )
    await post([redeem(7), hold, earn(1, member_id=BOB)], now=NOW)
    assert found(await audited(complete=False)) == (2, 3, 0, True)
    # Complete ones read all, and a tampering with what was audited is theirs to find.
    await post([redeem(1)], now=NOW)
    for statement, rule in (
        (
            f"UPDATE points_lot SET remaining = 9 WHERE lot_seq = 5 AND member_id = '{ALICE}'",
            "lots",
        ),
        ("UPDATE points_lot SET pinned = pinned - 1 WHERE lot_seq = 2 AND pinned > 0", "pins"),
        (
            "UPDATE points_account SET head_hash = content_hash FROM points_entry AS e "
            "WHERE e.member_id = points_account.member_id AND e.seq = 1",
            "head",
        ),
        ("UPDATE points_audited SET available = available + 1", "sum"),
        (
            "INSERT INTO points_draw SELECT member_id, seq, 5, 1 FROM points_entry WHERE seq = 8",
            "moves",
        ),
    ):
        broken = await verified_after(statement)
        assert rule in broken, (statement, broken)
    assert found(await audited(complete=False)) == (1, 1, 0, True)
    assert found(await audited()) == (3, 19, 0, True)


async def verified_after(statement: str) -> set[str]:
    """The rules that an audit of what changed finds broken at ALICE; all is as it was after."""
    rules: set[str] = set()

    class Undo(Exception):
        pass

    async def work() -> None:
        await execute(statement)
        checked = await verify_accounts([ALICE], changed_only=True)
        assert checked.entries == 1
        rules.update(one.rule for one in checked.violations)
        raise Undo

    with pytest.raises(Undo):
        await transaction(work)
    return rules


async def test_a_posting_that_commits_late_is_audited_next() -> None:
    """It was recorded before others that an audit saw, and was committed after that audit."""
    await histories()
    await audited(complete=False)
    posted, commits = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        await post([redeem(1, member_id=BOB)], now=NOW)
        posted.set()
        await commits.wait()

    late = asyncio.create_task(transaction(slow))
    await posted.wait()
    assert found(await audited(complete=False, now=NOW + days(1))) == (0, 0, 0, True)
    commits.set()
    await late
    assert found(await audited(complete=False, now=NOW + days(2))) == (1, 4, 0, True)


class Killed(Exception):
    pass


def killed_after(batches: int) -> Callable[[int], None]:
    left = [batches]

    def told(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return told


async def test_a_nightly_audit_that_is_killed_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audits, "ACCOUNTS_OF_A_BATCH", 1)
    await histories()
    with pytest.raises(Killed):
        await audited(walk=TONIGHT, told=killed_after(1))
    # The second batch was not noted: it is done again. The first is not.
    assert found(await audited(walk=TONIGHT)) == (2, 6, 0, True)
    assert found(await audited(walk=TONIGHT)) == (0, 0, 0, True)
    tomorrow = Walk(name="nightly", slot_at=NOW + days(1))
    assert found(await audited(walk=tomorrow)) == (3, 9, 0, True)


async def test_an_audit_in_little_time_says_so_and_the_next_goes_on_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audits, "ACCOUNTS_OF_A_BATCH", 1)
    await histories()
    clock = iter(range(100))
    monkeypatch.setattr(audits, "monotonic", lambda: next(clock))

    async def by_hand(within_s: float) -> tuple[int, int, int, bool]:
        return found(await audit_by_hand(by=OPERATOR, now=NOW, within_s=within_s))

    assert await by_hand(2) == (1, 3, 0, False)
    # From the second to the last, and around to the first: that is all.
    assert await by_hand(50) == (3, 9, 0, True)
    assert await by_hand(3) == (2, 6, 0, False)
    assert await by_hand(50) == (3, 9, 0, True)
    # A history that alone would take too long is left to the nightly audit.
    monkeypatch.setattr(audits, "ENTRIES_OF_A_BATCH", 3)
    await post([earn(1, member_id=BOB)], now=NOW)
    assert await by_hand(50) == (2, 6, 0, False)
    assert found(await audited()) == (3, 10, 0, True)


async def test_a_batch_is_bounded_by_entries_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "ENTRIES_OF_A_BATCH", 7)
    await histories()
    told: list[int] = []
    assert found(await audited(told=told.append)) == (3, 9, 0, True)
    assert told == [6, 3]


@pytest.mark.parametrize("member_id", MEMBERS)
async def test_entries_without_an_account_are_found(member_id: UUID) -> None:
    await histories()
    await execute("DELETE FROM points_account WHERE member_id = $1", member_id)
    with capture_logs() as logs:
        audit = await audited()
    assert [(line["event"], line["member_id"]) for line in logs] == [
        ("ledger_violation", str(member_id))
    ]
    assert [(one.rule, one.member_id) for one in audit.violations] == [("account", member_id)]
    assert (audit.accounts_checked, audit.frozen) == (2, ())


async def test_several_audits_at_once_find_the_same_and_freeze_once() -> None:
    await histories()
    await steal_from(BOB)
    with capture_logs() as logs:
        audits = await asyncio.gather(*(audited() for _ in range(3)))
    assert {found(one) for one in audits} == {(3, 9, 2, True)}
    assert sum(len(one.frozen) for one in audits) == 1
    assert len([line for line in logs if line["event"] == "ledger_violation"]) == 1
    assert [one.action for one in await log(5)] == ["points.freeze"]


async def test_postings_under_way_are_no_violations() -> None:
    await histories()

    async def spend(at: datetime) -> list[Posted | Refusal]:
        return await post([redeem(1, member_id=one) for one in MEMBERS], now=at)

    async def look() -> int:
        return (await verify_accounts(MEMBERS)).entries

    looks = asyncio.gather(*(look() for _ in range(5)))
    outcomes = await asyncio.gather(*(spend(NOW + days(n)) for n in range(5)))
    seen = await looks
    assert all(isinstance(one, Posted) for batch in outcomes for one in batch)
    # Each sees whole batches: three entries each.
    assert {count % 3 for count in seen} == {0}
    assert (await balance(ALICE, now=NOW + days(5))).available == 25
    assert found(await audited()) == (3, 24, 0, True)
