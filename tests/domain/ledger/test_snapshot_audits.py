"""The audit holds snapshots against the entries that they sum up; nobody can change them."""

from __future__ import annotations

import pytest
from tortoise.exceptions import IntegrityError

from domain.ledger import Command, audit_ledger, post, verify_accounts
from domain.ledger.auditing import verification
from domain.storage import dialect, execute, fetch_all, transaction
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import ALICE, NOW, days, earn, redeem
from tests.domain.ledger.test_snapshots import UNGUARDED

pytestmark = pytest.mark.usefixtures("database")

_COPY = (
    "INSERT INTO points_snapshot SELECT member_id, 300, available, pending, held, debt, "
    "effective_from, effective_to, effective_upto, reaches_back, recorded_at "
    "FROM points_snapshot WHERE seq = 200"
)
_SET = "UPDATE points_snapshot SET"

TAMPERINGS: dict[str, tuple[str, list[int]]] = {
    # What is done to the snapshots, and which of them are told of.
    "nothing": ("SELECT 1", []),
    "points were always there": (f"{_SET} available = available + 1", [100]),
    "points were there for a while": (f"{_SET} available = available + 1 WHERE seq = 200", [200]),
    "points were pending": (f"{_SET} pending = pending + 1 WHERE seq = 200", [200]),
    "points were held": (f"{_SET} held = held + 1 WHERE seq = 200", [200]),
    "points were owed": (f"{_SET} debt = debt + 1 WHERE seq = 200", [200]),
    "one is another one": (f"{_SET} available = 7 WHERE seq = 100", [100, 200]),
    "one is removed": ("DELETE FROM points_snapshot WHERE seq = 200", [200]),
    "the first is removed": ("DELETE FROM points_snapshot WHERE seq = 100", [100, 200]),
    "one comes too early": (_COPY, [300]),
    "it begins later": (f"{_SET} effective_from = effective_to WHERE seq = 200", [200]),
    "it ends earlier": (f"{_SET} effective_to = effective_from WHERE seq = 200", [200]),
    "nothing was so late": (f"{_SET} effective_upto = effective_from WHERE seq = 200", [200]),
    "it does not reach back": (f"{_SET} reaches_back = FALSE WHERE seq = 200", [200]),
    "it was written before": (f"{_SET} recorded_at = effective_from WHERE seq = 200", [200]),
}


class Undo(Exception):
    """Rolls the tampering back."""


async def _live(entries: int, *, day: int) -> None:
    """So many entries, some of them dated back by three days."""
    at = NOW + days(day)
    each: list[Command] = [
        earn(3, at=at),
        earn(2, at=at - days(3), matures=at + days(9)),
        redeem(1),
    ]
    await post([each[number % 3] for number in range(entries)], now=at)


async def _live_and_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """250 entries, of which 150 were audited: the second chapter was half done."""
    monkeypatch.setattr(verification, "SHORT", 2)
    await _live(150, day=1)
    found = await audit_ledger(by=OPERATOR, now=NOW, complete=False)
    assert (found.entries_checked, found.violations) == (150, ())
    await _live(100, day=2)
    rows = await fetch_all("SELECT seq, reaches_back FROM points_snapshot ORDER BY seq")
    assert [(row["seq"], row["reaches_back"]) for row in rows] == [(100, False), (200, True)]


async def _told_of(statement: str, *, changed_only: bool) -> list[int]:
    """Of which snapshots an audit tells; afterwards everything is as it was."""
    told: list[int] = []

    async def tamper() -> None:
        await execute(statement)
        checked = await verify_accounts([ALICE], changed_only=changed_only)
        assert checked.entries == (100 if changed_only else 250)
        assert {one.rule for one in checked.violations} <= {"snapshots"}
        told.extend(int(one.detail.split()[4]) for one in checked.violations)
        raise Undo

    with pytest.raises(Undo):
        await transaction(tamper)
    return sorted(told)


@pytest.mark.parametrize("changed_only", [False, True], ids=["complete", "changed"])
async def test_each_tampering_with_snapshots_is_told(
    monkeypatch: pytest.MonkeyPatch, changed_only: bool
) -> None:
    await _live_and_audit(monkeypatch)
    for guard in UNGUARDED[dialect()]:
        await execute(guard)
    told = {
        tampering: await _told_of(statement, changed_only=changed_only)
        for tampering, (statement, _) in TAMPERINGS.items()
    }
    # The chapter that was whole when it was audited is left to the complete audit.
    begins = 100 if changed_only else 0
    assert told == {
        tampering: [seq for seq in seqs if seq > begins]
        for tampering, (_, seqs) in TAMPERINGS.items()
    }


@pytest.mark.parametrize(
    "statement", [f"{_SET} available = available", "DELETE FROM points_snapshot"]
)
async def test_snapshots_are_never_changed(statement: str) -> None:
    await _live(100, day=1)
    with pytest.raises(IntegrityError, match="append-only"):
        await execute(statement)
