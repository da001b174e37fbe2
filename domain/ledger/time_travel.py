"""Balances of the past: what was effective at a moment, as known now or as known then.

What counts for `as_of` are the entries that took effect by then. What was known at `known_at` are
the entries that were written by then, and those that time itself causes (points mature, expire, a
hold runs out) although they may have been written later: readers reckon them at once. So the
journal that was known ends before the first entry that was written later and that time does not
explain; and `look_back(as_of=T, known_at=T)` finds what `balance` showed at T.

Balances of the past begin at a snapshot (`domain.ledger.snapshots`). After it only those chapters
are read that hold something of both sides of the moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.ledger.entries import Changes, Entry, EntryKind
from domain.ledger.pages import JOURNAL_COLUMNS, JournalEntry, journal_entry_of
from domain.ledger.reckoning import Reckoning, reckoning
from domain.ledger.snapshots import BALANCES, CHAPTER, EFFECTIVE
from domain.storage import Row, fetch_all, fetch_one

REASONS_MAX: Final = CHAPTER
"""How many of the entries that count are named at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsReason:
    """Something that counts: an entry, or what fell due and has no entry yet (`entry` None).

    What falls due at one moment and alike is one reason as long as it is not written.
    """

    kind: EntryKind
    amount: int
    effective_at: datetime
    entry: JournalEntry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsAt:
    """Balances as of a moment."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0


@dataclass(frozen=True, slots=True)
class LookBack:
    """The points of a moment, and where to find what they are made of.

    `unwritten` fell due by then and waits for its entry. Among the entries with the numbers
    `counted` are the newest that count.
    """

    member_id: UUID
    as_of: datetime
    points: PointsAt
    unwritten: Sequence[Entry] = ()
    counted: Sequence[int] = ()

    async def reasons(self, first: int) -> tuple[PointsReason, ...]:
        """The newest `first` of what counts, at most REASONS_MAX. One statement."""
        rows = await fetch_all(_NEWEST, self.member_id, list(self.counted), self.as_of, first)
        reasons = [_reason(one, entry=None) for one in reversed(self.unwritten)]
        reasons += [_reason(one, entry=one) for one in map(journal_entry_of, rows)]
        return tuple(reasons[: min(first, REASONS_MAX)])


async def look_back(
    member_id: UUID, *, as_of: datetime, known_at: datetime | None = None, now: datetime
) -> LookBack:
    """The member's points of that moment, as known at `known_at`, or now.

    Neither moment lies after `now`. What was to come was not known: a `known_at` before `as_of`
    stands for both. Points that pay a debt which came only later count as available until then.
    Three statements, whatever the length of the history.
    """
    known = now if known_at is None else known_at
    assert max(as_of, known) <= now, "nothing is known of the future"
    as_of = min(as_of, known)
    book = await reckoning(member_id, until=as_of, by_moment=True)
    if book is None:
        return LookBack(member_id, as_of, PointsAt())
    rows = await fetch_all(_CHAPTERS, member_id, as_of, known, book.version)
    [nearest] = [row for row in rows if not row["back"]]
    back = [row for row in rows if row["back"]]
    base, last = nearest["seq"] or 0, nearest["last"]
    # The chapter that `last` stands in may be complete; it is read as if it were not.
    tail = last - last % CHAPTER
    beside = [base + CHAPTER] if base < tail else []
    straddling = [*beside, *(row["seq"] for row in back if not row["passed"])]
    numbers = _numbers(straddling, tail=tail, last=last)
    counted = await fetch_one(_SUM, member_id, numbers, as_of)
    assert counted is not None, "a sum without a group has one row"
    # Until an entry follows that time does not explain, what is due may wait to be written.
    unwritten = _reckoned(book, as_of) if last == book.version else ()
    whole = [row for row in rows if row["passed"]]
    return LookBack(
        member_id=member_id,
        as_of=as_of,
        points=_shown(
            [*map(_balances, whole), _balances(counted), *(one.changes for one in unwritten)]
        ),
        unwritten=unwritten,
        counted=_numbers([base, *beside, *(row["seq"] for row in back)], tail=tail, last=last),
    )


def _reason(one: Entry | JournalEntry, *, entry: JournalEntry | None) -> PointsReason:
    return PointsReason(
        kind=one.kind, amount=one.amount, effective_at=one.effective_at, entry=entry
    )


# What time causes: the sources are those that the book writes (`domain.ledger.book`).
_BY_TIME = """(
    e.kind = 'EXPIRE' OR (e.kind = 'MATURE' AND e.source_kind = 'maturity')
    OR (e.kind = 'RELEASE' AND e.source_kind = 'hold-expiry')
)"""

# First where the known journal ends (mostly in the chapter after the last that was known whole),
# with the last snapshot of which every entry counts (snapshots grow in numbers and in moments);
# then the chapters further on that tell of the time before nevertheless. Of a chapter that is
# passed over all entries count.
_CHAPTERS = f"""
    WITH journal AS (
        SELECT COALESCE((
            SELECT MIN(e.seq) - 1 FROM points_entry AS e
            WHERE e.member_id = $1 AND e.recorded_at > $3 AND NOT {_BY_TIME}
              AND e.seq <= $4 AND e.seq > k.seq AND e.seq <= k.seq + {CHAPTER}
        ), (
            SELECT e.seq - 1 FROM points_entry AS e
            WHERE e.member_id = $1 AND e.recorded_at > $3 AND NOT {_BY_TIME}
              AND e.seq <= $4 AND e.seq > k.seq + {CHAPTER}
            ORDER BY e.seq LIMIT 1
        ), $4::bigint) AS last
        FROM (
            SELECT COALESCE((
                SELECT s.seq FROM points_snapshot AS s
                WHERE s.member_id = $1 AND s.recorded_at <= $3
                ORDER BY s.recorded_at DESC, s.seq DESC LIMIT 1
            ), 0) AS seq
        ) AS k
    ), nearest AS (
        SELECT s.seq, s.available, s.pending, s.held, s.debt
        FROM journal AS j
        JOIN points_snapshot AS s ON s.member_id = $1 AND s.seq <= j.last
        WHERE s.seq <= (
            SELECT n.seq FROM points_snapshot AS n WHERE n.member_id = $1 AND n.effective_upto <= $2
            ORDER BY n.effective_upto DESC, n.seq DESC LIMIT 1
        )
        ORDER BY s.seq DESC LIMIT 1
    )
    SELECT 0 AS back, j.last, n.seq, n.seq IS NOT NULL AS passed, n.available, n.pending, n.held,
           n.debt
    FROM journal AS j LEFT JOIN nearest AS n ON n.seq > 0
    UNION ALL
    SELECT 1 AS back, j.last, s.seq, s.effective_to <= $2 AS passed, s.available - p.available,
           s.pending - p.pending, s.held - p.held, s.debt - p.debt
    FROM journal AS j
    JOIN points_snapshot AS s ON s.member_id = $1 AND s.reaches_back AND s.effective_from <= $2
        AND s.seq <= j.last AND s.seq > COALESCE((SELECT seq FROM nearest), 0) + {CHAPTER}
    JOIN points_snapshot AS p ON p.member_id = s.member_id AND p.seq = s.seq - {CHAPTER}
"""

_SUM = f"""
    SELECT COALESCE(SUM(e.available_change), 0)::bigint AS available,
           COALESCE(SUM(e.pending_change), 0)::bigint AS pending,
           COALESCE(SUM(e.held_change), 0)::bigint AS held,
           COALESCE(SUM(e.debt_change), 0)::bigint AS debt
    FROM points_entry AS e
    WHERE e.member_id = $1 AND e.seq = ANY($2::bigint[]) AND {EFFECTIVE} <= $3
"""

_NEWEST = f"""
    SELECT {JOURNAL_COLUMNS}
    FROM (
        SELECT e.seq FROM points_entry AS e
        WHERE e.member_id = $1 AND e.seq = ANY($2::bigint[]) AND {EFFECTIVE} <= $3
        ORDER BY e.seq DESC LIMIT $4
    ) AS counted
    JOIN points_entry AS e ON e.member_id = $1 AND e.seq = counted.seq
    LEFT JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
    ORDER BY e.seq DESC
"""


def _numbers(chapters: Iterable[int], *, tail: int, last: int) -> list[int]:
    """The numbers of the entries of chapters, by their last numbers, and of those after them.

    Named one by one: each is found by the primary key, whatever the planner knows of the table.
    """
    found = [seq for end in chapters for seq in range(end - CHAPTER + 1, end + 1) if end > 0]
    return [*found, *range(tail + 1, last + 1)]


def _reckoned(book: Reckoning, as_of: datetime) -> Sequence[Entry]:
    """What fell due by then and waits for its entry, in the order in which it fell due."""
    book.reckon(until=as_of)
    return book.entries


def _balances(row: Row) -> Changes:
    return Changes(**{name: row[name] for name in BALANCES})


def _shown(changes: Sequence[Changes]) -> PointsAt:
    """The sums; what paid a debt of later is available still."""
    total = {name: sum(getattr(one, name) for one in changes) for name in BALANCES}
    available, debt = total["available"], total["debt"]
    if min(available, debt) < 0 or available > 0 < debt:
        available, debt = max(available - debt, 0), max(debt - available, 0)
    return PointsAt(available=available, pending=total["pending"], held=total["held"], debt=debt)
