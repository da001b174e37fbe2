"""A bank of ten accounts, one of them hot, that moves points until it is told to stop.

Points move between accounts, are set aside, captured and released; what is captured leaves the
bank, so what all accounts own and what was captured add up to the same at any moment. Writers keep
their answers and readers look at all accounts as of one moment; `run_bank` names what went wrong.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg

from domain.errors import InsufficientPoints, Refusal
from domain.ledger import NEVER, Command, Key, Posted, Source, balance, post
from domain.ledger.auditing import verify_accounts
from domain.ledger.commands import Capture, Release, SetAside, Transfer
from domain.storage import StorageFault, fetch_all
from domain.storage.snapshots import snapshot
from tests.domain.ledger.commands import NOW, earn
from tests.races.contention import Gate

ACCOUNTS, WRITERS, READERS = 10, 8, 2
LOTS_EACH, LOT = 5, 200
TOTAL = ACCOUNTS * LOTS_EACH * LOT


@dataclass(slots=True)
class Bank:
    """The accounts, the first of which is hot, and what writers and readers saw."""

    url: str
    accounts: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(ACCOUNTS)])
    answers: list[tuple[Command, Posted]] = field(default_factory=list)
    refused: int = 0
    reads: int = 0
    backends: set[int] = field(default_factory=set)
    waits: int = 0
    found: Counter[str] = field(default_factory=Counter)

    async def opened(self) -> Bank:
        """Each account has a thousand points in five lots."""
        commands = [earn(LOT, member_id=each) for each in self.accounts for _ in range(LOTS_EACH)]
        await post(commands, now=NOW)
        return self

    def somebody(self, chance: random.Random) -> UUID:
        """The hot account every other time."""
        return self.accounts[0] if chance.random() < 0.5 else chance.choice(self.accounts)


async def run_bank(bank: Bank, gate: Gate, *, lasting_s: float, postings: int, reads: int) -> Bank:
    """Let everybody begin at once, on the hot account.

    It stops after so many seconds, but not before there were so many postings and reads.
    """
    stop_at = monotonic() + lasting_s

    def going_on() -> bool:
        few = len(bank.answers) < postings or bank.reads < reads
        return monotonic() < stop_at or (few and not bank.found)

    await gate.hold(
        "SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", bank.accounts[0]
    )
    writers = [asyncio.create_task(_write(bank, n, going_on)) for n in range(WRITERS)]
    await gate.gather(WRITERS)
    if any("NO KEY UPDATE" not in statement for statement in await gate.waiting_in()):
        bank.found["a writer does not wait for the lock"] += 1
    watching = asyncio.create_task(_watch(bank, going_on))
    readers = [asyncio.create_task(_read(bank, going_on)) for _ in range(READERS)]
    stop_at = monotonic() + lasting_s
    await gate.open(waiting=WRITERS)
    await asyncio.gather(*writers, *readers, watching)
    await _judge(bank)
    return bank


async def _write(bank: Bank, number: int, going_on: Callable[[], bool]) -> None:
    chance = random.Random(number)
    holds: list[tuple[UUID, UUID, int]] = []
    first = True
    while first or going_on():
        command = _next(bank, chance, holds, name=uuid4().hex, first=first)
        first = False
        try:
            [answer] = await post([command], now=NOW)
        except StorageFault as fault:
            bank.found[f"a writer got no answer: {type(fault).__name__}"] += 1
            continue
        except Exception as fault:
            bank.found[f"a writer failed: {type(fault).__name__}"] += 1
            continue
        if isinstance(answer, Posted):
            bank.answers.append((command, answer))
            if isinstance(command, SetAside):
                holds.append((command.member_id, command.hold_id, command.points))
        elif isinstance(answer, InsufficientPoints):
            bank.refused += 1
        else:
            assert isinstance(answer, Refusal)
            bank.found[f"a writer was refused: {type(answer).__name__}"] += 1


def _next(
    bank: Bank,
    chance: random.Random,
    holds: list[tuple[UUID, UUID, int]],
    *,
    name: str,
    first: bool,
) -> Command:
    key = Key(scope="bank", key=name)
    source = Source(kind="bank", reference=name)
    giver = bank.accounts[0] if first else bank.somebody(chance)
    if first or chance.random() < 0.5:
        taker = chance.choice([each for each in bank.accounts if each != giver])
        points = chance.randint(1, 300)
        return Transfer(member_id=giver, to_member_id=taker, points=points, source=source, key=key)
    if not holds or chance.random() < 0.5:
        return SetAside(
            member_id=giver,
            hold_id=uuid5(giver, name),
            owner="bank",
            points=chance.randint(2, 60),
            expires_at=NEVER,
            source=source,
            key=key,
        )
    owner, hold_id, held = holds.pop(chance.randrange(len(holds)))
    if chance.random() < 0.5:
        return Release(member_id=owner, hold_id=hold_id, source=source, key=key)
    return Capture(
        member_id=owner,
        hold_id=hold_id,
        points=chance.choice([None, 1, held // 2]),
        source=source,
        key=key,
    )


async def _read(bank: Bank, going_on: Callable[[], bool]) -> None:
    """All balances of one moment, once as readers are shown them and once as they are stored."""
    versions: dict[UUID, int] = {}
    while going_on():
        shown, captured, stored = await snapshot(lambda: _all_of(bank))
        bank.reads += 1
        if sum(shown.values()) + captured != TOTAL:
            bank.found["what readers are shown does not add up"] += 1
        if sum(row["net"] for row in stored) + captured != TOTAL:
            bank.found["what is stored does not add up"] += 1
        if any(row["lowest"] < 0 for row in stored):
            bank.found["a balance is negative"] += 1
        for row in stored:
            if row["version"] < versions.get(row["member_id"], 0):
                bank.found["a journal became shorter"] += 1
            versions[row["member_id"]] = row["version"]


async def _all_of(bank: Bank) -> tuple[dict[UUID, int], int, list[dict[str, Any]]]:
    shown = {}
    for each in bank.accounts:
        found = await balance(each, now=NOW)
        shown[each] = found.available + found.pending + found.held - found.debt
    [row] = await fetch_all("SELECT COALESCE(SUM(captured), 0) AS captured FROM points_hold")
    stored = await fetch_all(
        "SELECT member_id, version, available + pending + held - debt AS net,"
        " LEAST(available, pending, held, debt) AS lowest FROM points_account"
    )
    return shown, int(row["captured"]), [dict(each) for each in stored]


async def _watch(bank: Bank, going_on: Callable[[], bool]) -> None:
    """Count the backends that are seen at work, and how often one waits for another."""
    connection = await asyncpg.connect(bank.url)
    try:
        while going_on():
            rows = await connection.fetch(
                "SELECT pid, wait_event_type = 'Lock' AS waits FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'jifen'"
                " AND state <> 'idle'"
            )
            bank.backends |= {row["pid"] for row in rows}
            bank.waits += sum(1 for row in rows if row["waits"])
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def _judge(bank: Bank) -> None:
    """What was answered, what is stored, and what the ledger finds, when all is quiet."""
    for violation in (await verify_accounts(bank.accounts)).violations:
        bank.found[f"broken: {violation.rule}"] += 1
    entries = await fetch_all("SELECT member_id, seq, amount, balance_after FROM points_entry")
    by_place = {(row["member_id"], row["seq"]): row for row in entries}
    answered = Counter((one.member_id, one.seq) for _, one in bank.answers)
    for _, answer in bank.answers:
        row = by_place.get((answer.member_id, answer.seq))
        if row is None or (row["amount"], row["balance_after"]) != (
            answer.amount,
            answer.balance_after,
        ):
            bank.found["an answer is not in the journal"] += 1
    if any(times > 1 for times in answered.values()):
        bank.found["one entry answered two commands"] += 1
    arrivals = sum(isinstance(command, Transfer) for command, _ in bank.answers)
    opening = ACCOUNTS * LOTS_EACH
    if len(entries) != opening + len(bank.answers) + arrivals:
        bank.found["the journal has entries that nobody was told of"] += 1
