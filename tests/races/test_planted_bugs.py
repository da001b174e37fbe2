"""The checks of a race find the bugs that ledgers are known for, each by its name.

The bugs are planted from outside; the product has no switch for them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain import idempotency
from domain.errors import InsufficientPoints
from domain.ledger import (
    Command,
    Outcome,
    Posted,
    balance,
    loading,
    post,
    posting,
    store,
    verify_account,
)
from domain.ledger.book import Book, Books
from domain.storage import fetch_all
from tests.domain.ledger.commands import NOW, earn, key, redeem
from tests.races.contention import Gate

pytestmark = pytest.mark.faults

CROWD = 20
LOTS = 10
MEMBER = uuid4()


@pytest.fixture(autouse=True)
async def _ten_lots_of_a_hundred(postgres: str) -> None:
    await post([earn(100, member_id=MEMBER) for _ in range(LOTS)], now=NOW)


async def race(gate: Gate, commands: Sequence[Command]) -> list[str]:
    """Post them all at once on one account; the names of what went wrong, empty when sound."""
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", MEMBER)
    crowd = asyncio.gather(
        *(post([command], now=NOW) for command in commands), return_exceptions=True
    )
    await gate.gather(CROWD)
    waiting_in = await gate.waiting_in()
    await gate.open(waiting=CROWD)
    answers = await crowd
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    outcomes = [answer[0] for answer in answers if not isinstance(answer, BaseException)]
    return [
        *("somebody does not wait for the lock" for s in waiting_in if "NO KEY UPDATE" not in s),
        *sorted({f"somebody got no answer: {failure}" for failure in map(named, failures)}),
        *(await wrongs(outcomes, keys=len({command.key for command in commands}))),
        *(f"broken: {violation.rule}" for violation in await verify_account(MEMBER)),
    ]


def named(failure: BaseException) -> str:
    """What stood in the way: the table whose primary key did, or else the kind of failure."""
    # An entry's texts stand in a table of their own, under the same key; others are in parts.
    table = re.search(r'constraint "(\w+?)(_text)?(_p\d)?_pkey"', str(failure))
    return f"the key of {table[1]}" if table else type(failure).__name__


async def wrongs(outcomes: Sequence[Outcome], *, keys: int) -> list[str]:
    """What the answers and the balance say together."""
    found = []
    posted = {outcome.seq: outcome for outcome in outcomes if isinstance(outcome, Posted)}
    effects = [
        outcome for outcome in outcomes if isinstance(outcome, Posted) and not outcome.replayed
    ]
    refused = [outcome for outcome in outcomes if isinstance(outcome, InsufficientPoints)]
    left = (await balance(MEMBER, now=NOW)).available
    if left != 100 * LOTS + sum(outcome.amount for outcome in posted.values()):
        found.append("the balance is not what was answered")
    if len(effects) > keys:
        found.append("one key took effect more than once")
    if any(refusal.available != 0 for refusal in refused) or (refused and left):
        found.append("somebody was refused although points were left")
    return found


def redemptions() -> list[Command]:
    return [redeem(100, member_id=MEMBER, known_as=key(str(n))) for n in range(CROWD)]


def the_same_redemption() -> list[Command]:
    return [redeem(100, member_id=MEMBER, known_as=key("one"))] * CROWD


async def test_the_ledger_as_it_is_has_nothing_wrong(postgres: str, gate: Gate) -> None:
    assert await race(gate, redemptions()) == []
    assert (await balance(MEMBER, now=NOW)).available == 0


async def test_the_ledger_as_it_is_lets_a_key_take_effect_once(postgres: str, gate: Gate) -> None:
    assert await race(gate, the_same_redemption()) == []
    assert (await balance(MEMBER, now=NOW)).available == 900


async def test_a_missing_lock_is_found(
    postgres: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked = store._LOCK_ACCOUNTS.replace("FOR NO KEY UPDATE", "")
    assert unlocked != store._LOCK_ACCOUNTS
    monkeypatch.setattr(store, "_LOCK_ACCOUNTS", unlocked)
    assert "somebody does not wait for the lock" in await race(gate, redemptions())


async def test_lots_that_are_read_before_the_lock_are_found(
    postgres: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_books_late(
        member_ids: Iterable[UUID], *, now: datetime, locked: Books | None = None
    ) -> dict[UUID, Book]:
        rows = await fetch_all(
            f"SELECT member_id, {loading.LOT_COLUMNS} FROM points_lot WHERE remaining > 0"
        )
        books = await store.open_books(member_ids, now=now, locked=locked)
        for row in rows:
            books[row["member_id"]].lots[row["lot_seq"]] = loading.lot_of(row)
        for book in books.values():
            book.lots_complete = True
        return books

    monkeypatch.setattr(posting, "open_books", open_books_late)
    found = await race(gate, redemptions())
    assert "broken: draws" in found
    assert "broken: lots" in found


async def test_a_version_that_is_read_before_the_lock_is_found(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is taken, but the account was read before: twenty write the same number."""
    unlocked = store._LOCK_ACCOUNTS.replace("FOR NO KEY UPDATE", "")

    async def open_stale_books(
        member_ids: Iterable[UUID], *, now: datetime, locked: Books | None = None
    ) -> dict[UUID, Book]:
        wanted = list(member_ids)
        stale = {row["member_id"]: row for row in await fetch_all(unlocked, sorted(set(wanted)))}
        books = await store.open_books(wanted, now=now, locked=locked)
        return {
            member: store.book_of(stale[member]) if member in stale else book
            for member, book in books.items()
        }

    monkeypatch.setattr(posting, "open_books", open_stale_books)
    assert "somebody got no answer: the key of points_entry" in await race(gate, redemptions())


@pytest.mark.parametrize(
    ("constraint_too", "name"),
    [
        (False, "somebody got no answer: the key of idempotency"),
        (True, "one key took effect more than once"),
    ],
)
async def test_keys_that_are_not_recalled_are_found(
    postgres: str, gate: Gate, monkeypatch: pytest.MonkeyPatch, constraint_too: bool, name: str
) -> None:
    """Without the look-up the constraint still stands in the way; without both, nothing does."""

    async def recall_nothing(*_: object) -> dict[str, idempotency.Recalled]:
        return {}

    monkeypatch.setattr(idempotency, "recall", recall_nothing)
    if constraint_too:
        connection = await asyncpg.connect(postgres)
        await connection.execute("ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey")
        await connection.close()
    found = await race(gate, the_same_redemption())
    assert name in found
    assert (await balance(MEMBER, now=NOW)).available == (0 if constraint_too else 900)
