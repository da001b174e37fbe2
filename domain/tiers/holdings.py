"""Careers as they are stored: read for some hundred members at once, and written together.

A fixed number of statements whatever the number of members. The caller holds the locks of whoever
is written: those of the posting, or of `lock_careers`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import POINTS_MAX
from domain.notifications import Notification, notify
from domain.outbox import Event, announce
from domain.storage import Row, execute, fetch_all, write_together
from domain.tiers.careers import Because, Career, Move
from domain.tiers.criteria import AMOUNT_FEN_MAX, PURCHASES_MAX, Criteria, Match, Total
from domain.tiers.ladder import Ladder
from domain.tiers.tables import LEVEL_CHANGES, LEVEL_TERMS, MEMBER_LEVELS
from domain.tiers.terms import Term, TermKind
from domain.tiers.windows import reaches

_TERM_COLUMNS: Final = (
    "id, level_code, kind, since, keep_until, keep_after_day, basis_after_day, asked_points, "
    "asked_amount_fen, asked_purchases, asked_match, grace_until, noticed, reason, came_with"
)

_STATES: Final = f"""
    SELECT m.member_id, m.level_code AS held_code, m.since AS held_since,
           m.keep_until AS held_until, m.changes, m.next_review_at,
           {", ".join(f"t.{name}" for name in _TERM_COLUMNS.split(", "))}
    FROM member_level AS m LEFT JOIN level_term AS t ON t.member_id = m.member_id
    WHERE m.member_id = ANY($1::uuid[])
    ORDER BY m.member_id, t.since, t.id
"""


class Stored:
    """A career with what is stored of it: whether there is a row, and which terms are in it."""

    def __init__(self, career: Career, rows: Sequence[Row]) -> None:
        self.career = career
        self.known = bool(rows)
        self.terms = dict(career.terms)
        self.code = career.code
        self.changes: int = rows[0]["changes"] if rows else 0
        self.next_review_at: datetime | None = rows[0]["next_review_at"] if rows else None
        self.since: datetime | None = rows[0]["held_since"] if rows else None
        self.keep_until: datetime | None = rows[0]["held_until"] if rows else None

    def due(self, now: datetime) -> bool:
        """Whether something is to be decided by the time alone."""
        return self.next_review_at is not None and self.next_review_at <= now

    def is_other_term(self, now: datetime) -> bool:
        """Whether the level is the same, and is kept until another moment."""
        held = self.career.held(now=now)
        stands = bool(self.career.terms) and not self.career.moves
        return stands and (held.since, held.keep_until) != (self.since, self.keep_until)

    @property
    def changed(self) -> bool:
        """Whether anything has to be written."""
        career = self.career
        return (
            career.terms != self.terms
            or bool(career.moves)
            or (self.known and career.next_review_at != self.next_review_at)
        )


async def load_careers(
    member_ids: Collection[UUID], *, ladder: Ladder, zone: ZoneInfo
) -> dict[UUID, Stored]:
    """The careers of the members, without the days that count; one statement."""
    rows: dict[UUID, list[Row]] = {member_id: [] for member_id in sorted(set(member_ids))}
    for row in await fetch_all(_STATES, list(rows)) if rows else ():
        rows[row["member_id"]].append(row)
    return {
        member_id: Stored(
            Career(
                member_id,
                ladder=ladder,
                zone=zone,
                terms=[_term_of(row) for row in found if row["id"] is not None],
                code=found[0]["held_code"] if found else None,
            ),
            found,
        )
        for member_id, found in rows.items()
    }


async def load_days(careers: Collection[Stored], *, now: datetime | None = None) -> None:
    """Read the days that count for the careers, as they are stored now; one statement.

    With `now`, those alone that terms or the windows of that day ask for.
    """
    if not careers:
        return
    rows = await fetch_all(
        "SELECT member_id, day, points, amount_fen, purchases FROM qualifying_day"
        " WHERE member_id = ANY($1::uuid[]) AND day > $2",
        sorted(stored.career.member_id for stored in careers),
        date.min if now is None else min(one.career.counts_after(now=now) for one in careers),
    )
    _give_days(careers, ((row, row["day"]) for row in rows))


async def load_windows(
    careers: Collection[Stored], *, ladder: Ladder, zone: ZoneInfo, now: datetime
) -> None:
    """Read what counts in today's windows, each window as if it were one day; one statement."""
    if not careers:
        return
    windows = reaches(ladder.rules, today=now.astimezone(zone).date())
    present, oldest = windows[0], windows[-1]
    rows = await fetch_all(
        "SELECT member_id, CASE WHEN day > $3 THEN 0 ELSE 1 END AS place,"
        " SUM(points) AS points, SUM(amount_fen) AS amount_fen,"
        " SUM(purchases) AS purchases"
        " FROM qualifying_day WHERE member_id = ANY($1::uuid[]) AND day > $2 GROUP BY 1, 2",
        sorted(stored.career.member_id for stored in careers),
        *(oldest.after, present.after),
    )
    _give_days(careers, ((row, windows[row["place"]].reached_on) for row in rows))


async def write_careers(
    stored: Iterable[Stored],
    *,
    sources: Mapping[UUID, str],
    now: datetime,
) -> None:
    """Write what changed of the careers, with history, notifications and events.

    `sources` say, by member, what caused it.
    """
    changed = [one for one in stored if one.changed]
    gone = [(one, term_id) for one in changed for term_id in one.terms.keys() - one.career.terms]
    if gone:
        await execute(
            "DELETE FROM level_term WHERE member_id = ANY($1::uuid[]) AND id = ANY($2::uuid[])",
            sorted({one.career.member_id for one, _ in gone}),
            sorted(term_id for _, term_id in gone),
        )
    terms = [
        (one.career.member_id, term)
        for one in changed
        for term in one.career.terms.values()
        if one.terms.get(term.id) != term
    ]
    await write_together(
        [
            MEMBER_LEVELS.inserting(
                (_level_row(one, now=now) for one in changed),
                or_update=_everything("member_id", MEMBER_LEVEL_COLUMNS),
            ),
            LEVEL_TERMS.inserting(
                (term_row(member_id, term) for member_id, term in terms),
                or_update=_everything("member_id, id", _TERM_COLUMNS.split(", ")[1:]),
            ),
            LEVEL_CHANGES.inserting(_change_rows(changed, sources)),
        ]
    )
    await notify(_told(changed), now=now)
    await announce(_events(changed, now=now), now=now)


MEMBER_LEVEL_COLUMNS: Final = (
    *("level_code", "since", "keep_until", "keep_after_day", "changes", "next_review_at"),
)


def day_row(counted: tuple[tuple[UUID, date], Total]) -> dict[str, Any]:
    """What counts on a member's day, as it is stored."""
    (member_id, day), total = counted
    return {
        "member_id": member_id,
        "day": day,
        "points": total.points,
        "amount_fen": total.amount_fen,
        "purchases": total.purchases,
    }


def total_of(row: Row) -> Total:
    """What counts on a day, or on several together, from its row."""
    return Total(
        points=min(int(row["points"]), POINTS_MAX),
        amount_fen=min(int(row["amount_fen"]), AMOUNT_FEN_MAX),
        purchases=min(int(row["purchases"]), PURCHASES_MAX),
    )


def term_row(member_id: UUID, term: Term) -> dict[str, Any]:
    """A term as it is stored."""
    return {
        "member_id": member_id,
        "id": term.id,
        "level_code": term.level_code,
        "kind": term.kind.value,
        "since": term.since,
        "keep_until": term.keep_until,
        "keep_after_day": term.keep_after_day,
        "basis_after_day": term.basis_after_day,
        "asked_points": term.asked.threshold,
        "asked_amount_fen": term.asked.amount_fen,
        "asked_purchases": term.asked.purchases,
        "asked_match": term.asked.match.value,
        "grace_until": term.grace_until,
        "noticed": term.noticed,
        "reason": term.reason,
        "came_with": term.came_with,
    }


def _term_of(row: Row) -> Term:
    return Term(
        id=row["id"],
        level_code=row["level_code"],
        kind=TermKind(row["kind"]),
        since=row["since"],
        keep_until=row["keep_until"],
        keep_after_day=row["keep_after_day"],
        basis_after_day=row["basis_after_day"],
        asked=Criteria(
            threshold=row["asked_points"],
            amount_fen=row["asked_amount_fen"],
            purchases=row["asked_purchases"],
            match=Match(row["asked_match"]),
        ),
        grace_until=row["grace_until"],
        noticed=row["noticed"],
        reason=row["reason"],
        came_with=row["came_with"],
    )


def _give_days(careers: Collection[Stored], rows: Iterable[tuple[Row, date]]) -> None:
    by_member: dict[UUID, dict[date, Total]] = {}
    for row, day in rows:
        by_member.setdefault(row["member_id"], {})[day] = total_of(row)
    for stored in careers:
        stored.career.days = by_member.get(stored.career.member_id, {})


def _everything(key: str, columns: Sequence[str]) -> str:
    return f"({key}) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in columns)


def _level_row(stored: Stored, *, now: datetime) -> dict[str, Any]:
    career = stored.career
    held = career.held(now=now)
    return {
        "member_id": career.member_id,
        "level_code": held.code,
        "since": held.since,
        "keep_until": held.keep_until,
        "keep_after_day": held.keep_after_day,
        "changes": stored.changes + len(career.moves),
        "next_review_at": career.next_review_at,
    }


def _change_rows(
    changed: Iterable[Stored], sources: Mapping[UUID, str]
) -> Iterable[dict[str, Any]]:
    for stored in changed:
        for number, move in enumerate(stored.career.moves, stored.changes + 1):
            yield {
                "member_id": stored.career.member_id,
                "seq": number,
                "from_code": move.from_code,
                "to_code": move.to_code,
                "reason": move.because.value,
                "qualifying_points": move.points,
                "source_kind": _source(move, sources.get(stored.career.member_id, "review")),
                "occurred_at": move.at,
            }


def _source(move: Move, source: str) -> str:
    return "review" if move.because in {Because.LOWERED, Because.GRANT_ENDED} else source


_QUIETLY: Final = {Because.IMPORTED, Because.MERGED, Because.PARTED}
"""Nobody gets a message about a level that is theirs already, or was somebody else's."""


def _told(changed: Iterable[Stored]) -> Iterable[Notification]:
    for stored in changed:
        member_id = stored.career.member_id
        for move in stored.career.moves:
            if move.because not in _QUIETLY:
                yield Notification(
                    member_id=member_id,
                    kind="LEVEL_REACHED" if move.up else "LEVEL_LOWERED",
                    facts={"level": move.to_code},
                )
        for risk in stored.career.risks:
            yield Notification(
                member_id=member_id,
                kind="LEVEL_AT_RISK",
                facts={
                    "level": risk.level_code,
                    "keep_until": risk.keep_until.isoformat(),
                    "falls_at": risk.falls_at.isoformat(),
                },
            )


def _events(changed: Iterable[Stored], *, now: datetime) -> Iterable[Event]:
    for stored in changed:
        member_id, career = stored.career.member_id, stored.career
        for move in career.moves:
            facts = {
                "from": move.from_code,
                "to": move.to_code,
                "reason": move.because.value,
            }
            yield Event(kind="LevelChanged", member_id=member_id, facts=facts)
        if stored.is_other_term(now):
            yield Event(kind="LevelRenewed", member_id=member_id, facts={"level": career.code})
        for risk in career.risks:
            yield Event(kind="LevelAtRisk", member_id=member_id, facts={"level": risk.level_code})
