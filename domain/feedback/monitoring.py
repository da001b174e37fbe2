"""What is counted of tickets: how many, how fast, within what was promised, how members found it.

Each question is one statement over a range of the index on when tickets were filed. Tickets count
where they were filed; those that are told on in another one do not count beside it. Of members who
were erased the tickets still count: nothing here knows whose they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain import access, audit
from domain.access import Account, CallerKind
from domain.audit import Actor
from domain.feedback.kinds import FeedbackKind
from domain.feedback.periods import Period, TrendStep
from domain.feedback.tickets import TICKET_COLUMNS, Ticket, ticket_of
from domain.paging import Page, PageRequest, page_of
from domain.program import program
from domain.storage import Row, fetch_all, transaction

RATINGS: Final = range(1, 6)
COMPLAINTS: Final = (FeedbackKind.COMPLAINT, FeedbackKind.LOSS)


class CountedBy(StrEnum):
    """What tickets are told apart by."""

    SHOP = "SHOP"
    """The shop of the order that it is about, or that staff wrote down."""
    CAUSE = "CAUSE"
    """What it came from, once that was found."""
    TOPIC = "TOPIC"
    """What it is about."""
    LEVEL = "LEVEL"
    """The level that the member had when it was filed."""
    KIND = "KIND"
    """What the member wants with it."""
    CHANNEL = "CHANNEL"
    """How it reached us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Which tickets are counted: those of the kinds that were filed in the period, and only such.

    None stands for all.
    """

    period: Period
    kinds: Sequence[FeedbackKind] = COMPLAINTS
    shop: str | None = None
    cause: str | None = None
    topic: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One of the two promises: `done` are the tickets that were answered, or resolved.

    `kept` are those of them that had a deadline and met it, `missed` all that did not, done or not.
    Minutes are those that count by the calendar, without the pauses; None where nothing is done.
    """

    done: int
    kept: int
    missed: int
    minutes_mean: float | None
    minutes_median: float | None

    @property
    def share(self) -> float | None:
        """How much of what was promised was kept, 0 to 1; None where nothing was due yet."""
        due = self.kept + self.missed
        return self.kept / due if due else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What members said, 1 to 5: how many said each."""

    counts: tuple[int, int, int, int, int]

    @property
    def count(self) -> int:
        """How many said something."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """What they said on average; None where nobody said anything."""
        total = sum(rating * count for rating, count in zip(RATINGS, self.counts, strict=True))
        return total / self.count if self.count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What tickets came to. `unresolved` are not done yet; `reopened` were at least once."""

    tickets: int
    unresolved: int
    reopened: int
    answers: Kept
    resolutions: Kept
    experience: Rated
    expectation: Rated


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The tickets that have this in common; `code` None: those of which it is not known."""

    code: str | None
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPerson:
    """The tickets that somebody of staff has in hand; None: that nobody has."""

    person: Account | None
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The tickets that were filed in a part of the period."""

    period: Period
    figures: Figures


async def look_at_complaints(counted: Counted, *, by: Actor, now: datetime) -> None:
    """Tell the audit log that staff counts these."""

    async def work() -> None:
        audit.record(by, "complaints.read", after=_told(counted), now=now)

    await transaction(work)


async def complaints(counted: Counted) -> Figures:
    """What all of them came to. One statement."""
    rows = await _figures(counted, cell="0", groups_max=1)
    return _read(rows[0]) if rows else NOTHING


async def complaints_by(counted: Counted, by: CountedBy, *, groups_max: int) -> Sequence[Group]:
    """The same told apart, the most tickets first. One statement."""
    rows = await _figures(counted, cell=f"t.{by.value.lower()}", groups_max=groups_max)
    return [Group(code=row["cell"], figures=_read(row)) for row in rows]


async def complaints_by_person(counted: Counted, *, groups_max: int) -> Sequence[OfPerson]:
    """The same told apart by who has them in hand, the most tickets first."""
    rows = await _figures(counted, cell="t.assignee", groups_max=groups_max)
    people = {one.id: one for one in await access.accounts([CallerKind.STAFF])}
    return [
        OfPerson(person=people.get(row["cell"]) if row["cell"] else None, figures=_read(row))
        for row in rows
    ]


async def complaints_over_time(counted: Counted, step: TrendStep) -> Sequence[Bucket]:
    """The same told apart by when they were filed; a bucket without any counts nothing.

    Refused: InvalidInput, where there were too many buckets. One statement.
    """
    buckets = counted.period.buckets(step)
    zone = (await program()).zone
    spans: list[object] = []
    places = []
    for place, bucket in enumerate(buckets):
        spans += bucket.within(zone)
        at = _FIRST_SPAN + 2 * place
        places.append(f"({place}, ${at}::timestamptz, ${at + 1}::timestamptz)")
    rows = await _figures(
        counted,
        cell="s.place",
        groups_max=len(buckets),
        spans=f"span (place, since, until) AS (VALUES {', '.join(places)}),",
        source="span s JOIN ticket t ON t.submitted_at >= s.since AND t.submitted_at < s.until",
        values=spans,
    )
    found = {row["cell"]: _read(row) for row in rows}
    return [
        Bucket(period=bucket, figures=found.get(place, NOTHING))
        for place, bucket in enumerate(buckets)
    ]


async def complaint_tickets(
    counted: Counted, page: PageRequest, *, login: str | None, by: Actor, now: datetime
) -> Page[Ticket]:
    """A page of those that are counted, in the order in which they were filed.

    By the key (submitted_at, id); only those that the member of staff with this login has in hand,
    where one is named. The look is in the audit log.
    """

    async def work() -> Page[Ticket]:
        account = None if login is None else await access.find_account(login)
        rows: Sequence[Row] = []
        if login is None or account is not None:
            conditions, values = await _conditions(counted)
            after = page.after or (values[0], UUID(int=0))
            mine = "AND t.assignee = $11" if account is not None else "AND $11::uuid IS NULL"
            rows = await fetch_all(
                f"SELECT {TICKET_COLUMNS} FROM ticket t WHERE {conditions} {mine}"
                " AND (t.submitted_at, t.id) > ($8, $9)"
                " ORDER BY t.submitted_at, t.id LIMIT $10",
                *(*values, *after, page.limit, None if account is None else account.id),
            )
        found = [ticket_of(row) for row in rows]
        shown = [one.number for one in found[: page.first]]
        audit.record(by, "tickets.read", after={**_told(counted), "tickets": shown}, now=now)
        return page_of(found, first=page.first, key=lambda one: (one.submitted_at, one.id))

    return await transaction(work)


def _told(counted: Counted) -> dict[str, object]:
    only = {name: getattr(counted, name) for name in ("shop", "cause", "topic", "level")}
    return {
        "from": counted.period.first.isoformat(),
        "to": counted.period.last.isoformat(),
        "kinds": [one.value for one in counted.kinds],
        **{name: value for name, value in only.items() if value is not None},
    }


_FIRST_SPAN: Final = 8
"""The number of the first value after those of the conditions."""


async def _conditions(counted: Counted) -> tuple[str, list[object]]:
    """Which tickets are counted, and the seven values of it."""
    since, until = counted.period.within((await program()).zone)
    values: list[object] = [since, until, [one.value for one in counted.kinds]]
    conditions = (
        "t.submitted_at >= $1 AND t.submitted_at < $2"
        " AND t.status <> 'MERGED' AND t.kind = ANY($3::text[])"
    )
    for place, name in enumerate(("shop", "cause", "topic", "level"), 4):
        value = getattr(counted, name)
        values.append(value)
        conditions += (
            f" AND ${place}::text IS NULL" if value is None else f" AND t.{name} = ${place}"
        )
    return conditions, values


async def _figures(
    counted: Counted,
    *,
    cell: str,
    groups_max: int,
    spans: str = "",
    source: str = "ticket t",
    values: Sequence[object] = (),
) -> Sequence[Row]:
    conditions, given = await _conditions(counted)
    statement = figures_statement(
        conditions, cell=cell, groups_max=groups_max, spans=spans, source=source
    )
    return await fetch_all(statement, *given, *values)


def figures_statement(
    conditions: str, *, cell: str, groups_max: int, spans: str = "", source: str = "ticket t"
) -> str:
    """The statement that counts the tickets under these conditions, told apart by `cell`.

    The median is the middle one of those in order, or what lies between the two in the middle. It
    is found among the different numbers of minutes, each counted: those are few, tickets are many.
    """
    names = ("answer", "resolve")
    return f"""
        WITH {spans} told AS (
            SELECT {cell} AS cell, t.status, t.reopened, t.experience, t.expectation,
                t.answered_at AS answer_at, t.answer_by, t.answer_took,
                CASE WHEN t.answer_breached_at IS NOT NULL OR t.answered_at > t.answer_by
                     THEN 1 ELSE 0 END AS answer_missed,
                t.resolved_at AS resolve_at, t.resolve_by, t.resolve_took,
                CASE WHEN t.resolve_breached_at IS NOT NULL OR t.resolved_at > t.resolve_by
                     THEN 1 ELSE 0 END AS resolve_missed
            FROM {source} WHERE {conditions}
        ),
        {", ".join(_MIDDLE.format(name=name) for name in names)},
        figures AS (
            SELECT cell, COUNT(*) AS tickets,
                SUM(CASE WHEN status IN ('OPEN', 'WAITING_FOR_MEMBER', 'ANSWERED')
                    THEN 1 ELSE 0 END) AS unresolved,
                SUM(CASE WHEN reopened > 0 THEN 1 ELSE 0 END) AS reopened,
                {", ".join(_PROMISE.format(name=name) for name in names)},
                {", ".join(_ratings())}
            FROM told GROUP BY cell ORDER BY tickets DESC, cell NULLS LAST LIMIT {groups_max}
        )
        SELECT figures.*, answer.middle AS answer_middle, resolve.middle AS resolve_middle
        FROM figures {" ".join(_OF_CELL.format(name=name) for name in names)}
        ORDER BY tickets DESC, figures.cell NULLS LAST
    """


_PROMISE: Final = """
                COUNT({name}_at) AS {name}_done,
                SUM(CASE WHEN {name}_at IS NOT NULL AND {name}_by IS NOT NULL
                    AND {name}_missed = 0 THEN 1 ELSE 0 END) AS {name}_kept,
                SUM({name}_missed) AS {name}_missed,
                COUNT({name}_took) AS {name}_n, SUM({name}_took) AS {name}_sum"""

# The two in the middle added together; where there is one, it twice.
_MIDDLE: Final = """
        {name}_middle AS (
            SELECT cell, SUM(took * (
                CASE WHEN (n + 1) / 2 BETWEEN up_to - same + 1 AND up_to THEN 1 ELSE 0 END
                + CASE WHEN (n + 2) / 2 BETWEEN up_to - same + 1 AND up_to THEN 1 ELSE 0 END
            )) AS middle
            FROM (
                SELECT cell, {name}_took AS took, COUNT(*) AS same,
                    CAST(SUM(COUNT(*)) OVER (PARTITION BY cell ORDER BY {name}_took) AS BIGINT)
                        AS up_to,
                    CAST(SUM(COUNT(*)) OVER (PARTITION BY cell) AS BIGINT) AS n
                FROM told WHERE {name}_took IS NOT NULL GROUP BY cell, {name}_took
            ) AS counted
            GROUP BY cell
        )"""

_OF_CELL: Final = """
        LEFT JOIN {name}_middle AS {name} ON {name}.cell = figures.cell
            OR {name}.cell IS NULL AND figures.cell IS NULL"""


def _ratings() -> Sequence[str]:
    return [
        f"SUM(CASE WHEN {name} = {rating} THEN 1 ELSE 0 END) AS {name}_{rating}"
        for name in ("experience", "expectation")
        for rating in RATINGS
    ]


def _read(row: Row) -> Figures:
    return Figures(
        tickets=row["tickets"],
        unresolved=row["unresolved"],
        reopened=row["reopened"],
        answers=_kept(row, "answer"),
        resolutions=_kept(row, "resolve"),
        experience=_rated(row, "experience"),
        expectation=_rated(row, "expectation"),
    )


def _kept(row: Row, name: str) -> Kept:
    count = row[f"{name}_n"]
    return Kept(
        done=row[f"{name}_done"],
        kept=row[f"{name}_kept"],
        missed=row[f"{name}_missed"],
        minutes_mean=row[f"{name}_sum"] / count if count else None,
        minutes_median=row[f"{name}_middle"] / 2 if count else None,
    )


def _rated(row: Row, name: str) -> Rated:
    one, two, three, four, five = (row[f"{name}_{rating}"] for rating in RATINGS)
    return Rated(counts=(one, two, three, four, five))


_NONE_KEPT: Final = Kept(done=0, kept=0, missed=0, minutes_mean=None, minutes_median=None)
_NONE_RATED: Final = Rated(counts=(0, 0, 0, 0, 0))
NOTHING: Final = Figures(
    tickets=0,
    unresolved=0,
    reopened=0,
    answers=_NONE_KEPT,
    resolutions=_NONE_KEPT,
    experience=_NONE_RATED,
    expectation=_NONE_RATED,
)
"""What no tickets come to."""
