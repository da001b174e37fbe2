"""The sweeper: writes what fell due for accounts that nobody posts to.

Nobody waits for it: readers reckon what is due and a posting writes it first. It only makes the
journal say so soon. It works in batches, each a short transaction of its own, so it may be stopped
or killed anywhere and run by any number of workers: an account that another has locked is passed
over, and what is written is not due any more.

A batch takes as many lots as it takes about BATCH_S to write. Of an account with more due than that
the oldest changes are written, in their order, and the rest in batches that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Final
from uuid import UUID

import structlog

from domain.ledger.book import Book, Due
from domain.ledger.due import load_due
from domain.ledger.posting import event_of, new_salt
from domain.ledger.store import lock_due_books, write_books
from domain.outbox import announce
from domain.storage import fetch_one, transaction

log = structlog.get_logger("jifen.ledger")

BATCH_S: Final = 0.02
"""How long a batch should keep its locks; it may take longer where lots are unlike the last."""

BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)

LOTS_MIN: Final = 100
"""A batch of fewer would take hardly less time: the statements themselves take most of it then."""

LOTS_MAX: Final = 2_000
ACCOUNTS_FIRST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a run did: accounts brought up to date, entries written; `done` when nothing is left.

    `batches` of at most `slowest_s` seconds each. An account that more than one batch was for is
    counted once. What another worker has locked counts as done: it will be up to date then.
    `unsound` are accounts whose rows contradict each other, which were left for the audit.
    """

    accounts: int = 0
    entries: int = 0
    batches: int = 0
    slowest_s: float = 0.0
    done: bool = False
    unsound: frozenset[UUID] = frozenset()


async def sweep(
    *,
    now: datetime,
    accounts_max: int,
    within_s: float,
    progress: Callable[[Swept], None] | None = None,
) -> Swept:
    """Write what is due as of `now`, for at most about `accounts_max` accounts and `within_s`.

    `progress` is told after each batch how far it came. Frozen accounts are passed over: readers
    reckon what is due of them, and it is written once they are mended. So is whatever turns out to
    be unsound, with an alert. Must not be called inside a transaction.
    """
    began = perf_counter()
    swept = Swept()
    pace = _Pace()
    since = BEGINNING
    while swept.accounts < accounts_max and perf_counter() - began < within_s:
        batch_began = perf_counter()
        batch = await transaction(
            partial(_sweep_batch, pace, since=since, now=now, but=swept.unsound)
        )
        took_s = perf_counter() - batch_began
        if batch.locked == 0:
            if since == BEGINNING:
                return _after(swept, batch, took_s=0.0, done=True)
            since = BEGINNING
            continue
        since = batch.since
        swept = _after(swept, batch, took_s=took_s, done=False)
        pace = pace.after(batch, took_s=took_s)
        if progress is not None:
            progress(swept)
    return swept


async def accounts_due(*, now: datetime) -> int:
    """How many accounts wait to be swept."""
    row = await fetch_one(_DUE_ACCOUNTS, now)
    assert row is not None, "a count without a group has one row"
    count: int = row["due"]
    return count


_DUE_ACCOUNTS = """
    SELECT COUNT(*) AS due FROM points_account
    WHERE next_change_at <= $1 AND next_change_at < '9999-12-31 00:00:00.000000+00:00'
      AND frozen_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Accounts locked, treated, and brought up to date; lots read; entries written; the unsound.

    `since` is the moment from which the next batch looks for accounts. Beginning anew each time
    would pass over all that were swept before, which the index holds until it is vacuumed.
    """

    locked: int
    treated: int
    finished: int
    lots: int
    entries: int
    unsound: frozenset[UUID]
    since: datetime


@dataclass(frozen=True, slots=True)
class _Pace:
    """What the next batch takes: at most so many lots, of so many accounts."""

    lots: int = LOTS_MIN
    accounts: int = ACCOUNTS_FIRST

    def after(self, batch: _Batch, *, took_s: float) -> _Pace:
        """The pace that would have made this batch take BATCH_S; at most twice as much or half."""
        work = max(batch.lots, batch.treated)
        fitting = work * BATCH_S / max(took_s, 0.001)
        lots = int(min(max(fitting, self.lots / 2), self.lots * 2))
        lots = min(max(lots, LOTS_MIN), LOTS_MAX)
        if fitting > work and batch.treated < self.accounts and batch.lots < self.lots:
            lots = self.lots  # The last batch of a run is small, and says little.
        each = max(batch.lots / max(batch.treated, 1), 1.0)
        return _Pace(lots=lots, accounts=max(round(lots / each), 1))


async def _sweep_batch(
    pace: _Pace, *, since: datetime, now: datetime, but: Collection[UUID]
) -> _Batch:
    books = await lock_due_books(since=since, now=now, limit=pace.accounts, but=but)
    reached = max((book.next_change_at for book in books), default=since)
    loaded = await load_due(books, now=now, lots_max=pace.lots) if books else []
    lots = sum(len(book.lots) for book, _ in loaded)
    treated = [book for book, through in loaded if _settled(book, now=now, through=through)]
    unsound = {book.member_id for book, _ in loaded} - {book.member_id for book in treated}
    await write_books(treated)
    entries = [entry for book in treated for entry in book.entries]
    await announce(map(event_of, entries), now=now)
    left = [b for b in books if b.next_change_at <= now and b.member_id not in unsound]
    return _Batch(
        locked=len(books),
        treated=len(treated),
        finished=sum(book.next_change_at > now for book in treated),
        lots=lots,
        entries=len(entries),
        unsound=frozenset(unsound),
        since=min(book.next_change_at for book in books) if left else reached,
    )


def _settled(book: Book, *, now: datetime, through: Due | None) -> bool:
    """Decide what is due of the book; False, with an alert, where its rows contradict each other.

    One such account must not keep all the others from being swept.
    """
    try:
        book.settle(now=now, salt=new_salt, through=through)
    except AssertionError:
        log.exception("ledger_unsound", members=(book.member_id,))
        return False
    return True


def _after(swept: Swept, batch: _Batch, *, took_s: float, done: bool) -> Swept:
    return Swept(
        accounts=swept.accounts + batch.finished,
        entries=swept.entries + batch.entries,
        batches=swept.batches + (batch.locked > 0),
        slowest_s=max(swept.slowest_s, took_s),
        done=done,
        unsound=swept.unsound | batch.unsound,
    )
