"""Playing a worked example of docs/ledger.md through the ledger itself, on the connected database.

What the page says is compared with what the ledger answers, keeps and shows: every number of a row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4, uuid5

from domain.errors import Refusal
from domain.ledger import (
    Posted,
    balance,
    merge_accounts,
    part_accounts,
    post,
    verify_account,
)
from domain.storage import fetch_all, transaction
from tests.domain.ledger.kept import ledger_kept
from tests.domain.ledger.looking_back import points_at
from tests.repository.ledger_notation import BY_ITSELF, LOOK, LOOK_BACK, MERGE, Example, Row, moment
from tests.repository.ledger_phrases import command_of


@dataclass(slots=True, kw_only=True)
class Player:
    """One run of an example, with members whom no other run has met."""

    example: Example
    run: UUID = field(default_factory=uuid4)
    since: int = 0

    def member_id(self, row: Row) -> UUID:
        return uuid5(self.run, row.member)

    async def play(self) -> None:
        """Do all commands in order; then compare the journals with the rows."""
        for row in self.example.rows:
            if past := re.fullmatch(LOOK_BACK, row["command"]):
                await self._look_back(row, as_of=past["as_of"], known_at=past["known_at"])
            elif said := re.fullmatch(MERGE, row["command"]):
                await self._merge(row, **said.groupdict())
            elif row["command"] == LOOK:
                await self._look(row)
            elif row["command"] not in ("", BY_ITSELF):
                await self._do(row)
        await self._remember()
        for name in {row.member for row in self.example.rows}:
            await self._compare_journal([row for row in self.example.rows if row.member == name])

    async def _merge(self, row: Row, *, what: str, loser: str, keeper: str) -> None:
        """Join two accounts, or part those that were joined last."""
        one, other = uuid5(self.run, keeper), uuid5(self.run, loser)
        if what == "merge":
            joining = partial(merge_accounts, other, one, merge_id=self.run, now=row.when)
            self.since = (await transaction(joining)).since
        else:
            parting = partial(part_accounts, other, one, since=self.since, now=row.when)
            await transaction(partial(parting, merge_id=self.run))

    async def _look(self, row: Row) -> None:
        """What a reader is shown at that moment, whatever has been written by then."""
        shown = await balance(self.member_id(row), now=row.when)
        found = (shown.available, shown.pending, shown.held, shown.debt)
        assert found == row.balances, row.cells
        if "soon" in row.cells:
            soon = [(one.points, one.expires_at) for one in shown.expiring_soon]
            told = [part.split(" by ") for part in row["soon"].split("; ") if part]
            assert soon == [(int(points), moment(day)) for points, day in told], row.cells

    async def _look_back(self, row: Row, *, as_of: str, known_at: str | None) -> None:
        """What was so at an earlier moment, as known then or now, and why."""
        shown = await points_at(
            self.member_id(row),
            as_of=moment(as_of),
            known_at=moment(known_at) if known_at else None,
            now=row.when,
        )
        found = (shown.available, shown.pending, shown.held, shown.debt)
        assert found == row.balances, row.cells
        reasons = [
            str(one.entry.seq) if one.entry else f"{one.kind.value} {one.amount:+}"
            for one in shown.reasons
        ]
        assert ", ".join(reasons) == row["because"], row.cells

    async def _remember(self) -> None:
        """What a reader was shown at a moment is still what was known then of that moment."""
        rows = self.example.rows
        for number, row in enumerate(rows):
            later = [one.when for one in rows[number:] if one.entry and one["command"] != BY_ITSELF]
            if row["command"] == LOOK and all(row.when < moment for moment in later):
                now = max(one.when for one in rows)
                then = await points_at(
                    self.member_id(row), as_of=row.when, known_at=row.when, now=now
                )
                found = (then.available, then.pending, then.held, then.debt)
                assert found == row.balances, row.cells

    async def _do(self, row: Row) -> None:
        command = command_of(row, run=self.run)
        if row.entry is None and not row.replayed:
            await self._look(row)
            before = await ledger_kept()
            [outcome] = await post([command], now=row.when)
            assert isinstance(outcome, Refusal), (row.cells, outcome)
            assert _told(outcome, row) == row["entry"], row.cells
            assert await ledger_kept() == before
            return
        [outcome] = await post([command], now=row.when)
        assert isinstance(outcome, Posted), (row.cells, outcome)
        if row.replayed:
            assert (outcome.replayed, outcome.seq) == (True, row.replayed), row.cells
            await self._look(row)
            return
        entry = (outcome.seq, outcome.kind.value, outcome.amount)
        assert entry == row.entry, row.cells
        assert outcome.balance_after == row.balances[0], row.cells

    async def _compare_journal(self, rows: list[Row]) -> None:
        member_id = self.member_id(rows[0])
        told = [row for row in rows if row.entry is not None]
        written = await fetch_all(
            "SELECT * FROM points_entry WHERE member_id = $1 ORDER BY seq", member_id
        )
        assert [row.entry for row in told] == [
            (entry["seq"], entry["kind"], entry["amount"]) for entry in written
        ]
        balances = [0, 0, 0, 0]
        for row, entry in zip(told, written, strict=True):
            for place, name in enumerate(("available", "pending", "held", "debt")):
                balances[place] += entry[f"{name}_change"]
            assert tuple(balances) == row.balances, row.cells
            assert entry["balance_after"] == row.balances[0]
            assert entry["effective_at"] == row.effective_at, row.cells
            if "recorded" in row.cells:
                assert entry["recorded_at"] == moment(row["recorded"]), row.cells
            assert entry["reverses"] == row.reverses, row.cells
            await self._compare_lots(row, seq=entry["seq"])
        assert await verify_account(member_id) == []

    async def _compare_lots(self, row: Row, *, seq: int) -> None:
        """What the entry took from which lot, and what it made; pins as the hold left them."""
        member_id = self.member_id(row)
        taken = await fetch_all(
            "SELECT lot_seq, amount FROM points_draw WHERE member_id = $1 AND entry_seq = $2",
            member_id,
            seq,
        )
        assert _amounts(row["takes"]) == {one["lot_seq"]: one["amount"] for one in taken}, row.cells
        if "makes" in row.cells:
            made = await fetch_all(
                "SELECT lot_seq, earned, expires_at, parent_lot FROM points_lot "
                "WHERE member_id = $1 AND entry_seq = $2 ORDER BY lot_seq",
                member_id,
                seq,
            )
            assert _lots(row["makes"]) == [tuple(dict(one).values()) for one in made], row.cells
        if row["pins"]:
            command: Any = command_of(row, run=self.run)
            pinned = await fetch_all(
                "SELECT lot_seq, amount FROM points_pin WHERE member_id = $1 AND hold_id = $2",
                member_id,
                command.hold_id,
            )
            found = {one["lot_seq"]: one["amount"] for one in pinned}
            assert _amounts(row["pins"]) == found, row.cells


def _told(refusal: Refusal, row: Row) -> str:
    """The refusal as the row tells it: its code, with the facts that the row names."""
    code, _, facts = row["entry"].partition(": ")
    assert code == refusal.code.value, (row.cells, refusal)
    if not facts:
        return code
    found = []
    for fact in facts.split(", "):
        name = fact.split(" ")[0]
        value = getattr(refusal, name)
        found.append(f"{name} {' '.join(value) if isinstance(value, tuple) else value}")
    return f"{code}: " + ", ".join(found)


def _amounts(cell: str) -> dict[int, int]:
    """`lot 2: 50, lot 1: 70` as amounts by lot."""
    pairs = [part.removeprefix("lot ").split(": ") for part in cell.split(", ") if part]
    return {int(lot): int(amount) for lot, amount in pairs}


def _lots(cell: str) -> list[tuple[Any, ...]]:
    """`lot 3: 10 until 2026-05-01, of lot 2; lot 4: …` as rows: lot, points, expiry, parent."""
    found = []
    for part in cell.split("; ") if cell else ():
        head, _, rest = part.removeprefix("lot ").partition(": ")
        points, _, until = rest.partition(" until ")
        expires, _, parent = until.partition(", of lot ")
        found.append((int(head), int(points), moment(expires), int(parent) if parent else None))
    return found
