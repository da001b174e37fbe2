"""A member's career: their terms, decided purely, as time passes and things happen to them.

Whatever is due is settled first, each at its own moment and in order, so that it makes no
difference whether a review ran at its midnight or days later. Then what happened is taken in. The
level is that of the highest term; each move from one level to another is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain.ledger import NEVER
from domain.tiers.criteria import NOTHING, Total
from domain.tiers.ladder import Ladder, LevelDefinition, level_reached
from domain.tiers.terms import Term, TermKind, highest, joined
from domain.tiers.windows import Reach, days_later, last_day, reaches, term_dates


class Because(StrEnum):
    """Why a level changed."""

    QUALIFIED = "QUALIFIED"
    IMPORTED = "IMPORTED"
    MERGED = "MERGED"
    PARTED = "PARTED"
    LOWERED = "LOWERED"
    REFUNDED = "REFUNDED"
    GRANTED = "GRANTED"
    GRANT_ENDED = "GRANT_ENDED"
    REDEFINED = "REDEFINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From one level to another, as of a moment; `points` are those that it was decided by."""

    from_code: str
    to_code: str
    up: bool
    because: Because
    points: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A level that falls at `falls_at` unless enough is earned; its review is at `keep_until`."""

    level_code: str
    keep_until: datetime
    falls_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A member's level as it is stored: of the highest term, or the base."""

    code: str
    since: datetime
    keep_until: datetime
    keep_after_day: date


class Career:
    """One member's terms and what counts for them, on the way through one transaction.

    `terms` are those that are stored, `days` what counted on each local day, at least on those that
    the terms and windows ask for. `code` is the level as it is stored, the base without one.
    `moves` and `risks` are what the settling and whatever followed came to.
    """

    def __init__(
        self,
        member_id: UUID,
        *,
        ladder: Ladder,
        zone: ZoneInfo,
        terms: Iterable[Term] = (),
        days: Mapping[date, Total] | None = None,
        code: str | None = None,
    ) -> None:
        self.member_id = member_id
        self.terms = {term.id: term for term in terms}
        self.days = dict(days or {})
        self.moves: list[Move] = []
        self.risks: list[Risk] = []
        self._ladder, self._zone = ladder, zone
        self._ranks = ladder.ranks
        self._levels = {level.code: level for level in ladder.levels}
        self._base = ladder.levels[0]
        self.code = code if code in self._ranks else self._base.code

    # What is there.

    def total(self, *, after: date, through: date = date.max) -> Total:
        """What counted on the days after one, through another."""
        found = NOTHING
        for day, total in self.days.items():
            if after < day <= through:
                found = found.plus(total)
        return found

    def held(self, *, now: datetime) -> Held:
        """The level as it is to be stored."""
        top = highest(self.terms.values(), self._ranks)
        if not top:
            today = now.astimezone(self._zone).date()
            dates = term_dates(self._ladder.rules, reached_on=today, zone=self._zone)
            return Held(
                code=self._base.code,
                since=now,
                keep_until=dates.keep_until,
                keep_after_day=today,
            )
        longest = max(top, key=lambda term: term.keep_until)
        return Held(
            code=longest.level_code,
            since=min(term.since for term in top),
            keep_until=longest.keep_until,
            keep_after_day=longest.keep_after_day,
        )

    def counts_after(self, *, now: datetime) -> date:
        """The day after which days matter: for a review, for a refund, or in today's windows."""
        today = now.astimezone(self._zone).date()
        oldest = reaches(self._ladder.rules, today=today)[-1].after
        asked = (min(one.keep_after_day, one.basis_after_day) for one in self.terms.values())
        return min((oldest, *asked))

    @property
    def next_review_at(self) -> datetime:
        """The next moment at which time alone may change something."""
        return min((self._due_at(term) for term in self.terms.values()), default=NEVER)

    @property
    def in_grace(self) -> bool:
        """Whether a term goes on in grace: so that what counts now may renew it."""
        return any(term.grace_until is not None for term in self.terms.values())

    # What happens.

    def settle(self, *, now: datetime) -> None:
        """Decide all notices, reviews and ends that are due, each as of its moment, in order."""
        # Each step moves the moment of its term on or ends it, so there is an end.
        while due := [one for one in self.terms.values() if self._due_at(one) <= now]:
            while due:
                term = min(due, key=lambda one: (self._due_at(one), self._ranks[one.level_code]))
                self._step(term, at=self._due_at(term))
                due = [one for one in self.terms.values() if self._due_at(one) <= now]
            self.renew(now=now)
        self.renew(now=now)
        self.risks = [risk for risk in self.risks if risk.falls_at > now]

    def count(self, days: Mapping[date, Total]) -> None:
        """Add what counts on some days."""
        for day, total in days.items():
            self.days[day] = self.days.get(day, NOTHING).plus(total)

    def renew(self, *, now: datetime) -> None:
        """Renew each term that is in its grace, where enough was earned by now."""
        today = now.astimezone(self._zone).date()
        for term in list(self.terms.values()):
            if term.grace_until is None:
                continue
            level = self._levels[term.level_code]
            if self._reached(term, through=today).rank >= level.rank:
                self._replace(term, self._anew(term, level, at=now))

    def look(self, *, now: datetime, because: Because, came_with: UUID | None = None) -> None:
        """Reach the highest level that today's windows give, above all that is held but granted.

        `came_with` is the merge without which it would not be reached.
        """
        today = now.astimezone(self._zone).date()
        present, *before = reaches(self._ladder.rules, today=today)
        points = self.total(after=present.after, through=present.through).points
        for reach in (present, *before):
            total = self.total(after=reach.after, through=reach.through)
            level = level_reached(total, levels=self._ladder.levels)
            if level.rank > self._earned_rank():
                self._reach(level, reach, now=now, came_with=came_with)
                points = total.points
        self.arrive(because, points=points, at=now)

    def take_off(self, days: Mapping[date, Total], *, now: datetime, because: Because) -> None:
        """Take off what does not count any more, and hold each term against what it rests on.

        A term whose level asked more than is left becomes one of the highest level that is still
        reached, with the same dates, or goes. Nobody stands lower than a fresh look gives.
        """
        for day, total in days.items():
            self.days[day] = self.days.get(day, NOTHING).less(total)
        last = max(days, default=date.min)
        resting = [
            term
            for term in self.terms.values()
            if term.kind is TermKind.QUALIFIED and term.basis_after_day < last
        ]
        if sum(self._fell(term) for term in resting):
            self.look(now=now, because=because)

    def part(self, merge_id: UUID, *, now: datetime) -> None:
        """Let go what came with a merge; `days` are the member's own again.

        Terms that rest on more than that fall. The record that was given up has nothing that came,
        but the same may have become of its days.
        """
        self.drop([term.id for term in self.terms.values() if term.came_with == merge_id])
        for term in list(self.terms.values()):
            if term.kind is TermKind.QUALIFIED:
                self._fell(term)
        self.look(now=now, because=Because.PARTED)

    def add(self, term: Term, *, because: Because, points: int = 0, at: datetime) -> None:
        """Take in a term from elsewhere."""
        self.terms[term.id] = term
        self.arrive(because, points=points, at=at)

    def drop(self, term_ids: Iterable[UUID]) -> None:
        """Let terms go; `arrive` says to which level that leads."""
        for term_id in term_ids:
            self.terms.pop(term_id, None)

    def arrive(self, because: Because, *, points: int, at: datetime) -> None:
        """Note the move to the level that the terms give, if it is another one."""
        self.terms = joined(self.terms.values())
        top = highest(self.terms.values(), self._ranks)
        code = top[0].level_code if top else self._base.code
        if code == self.code:
            return
        up = self._ranks[code] > self._ranks[self.code]
        self.moves.append(
            Move(from_code=self.code, to_code=code, up=up, because=because, points=points, at=at)
        )
        self.code = code

    # How it is decided.

    def _due_at(self, term: Term) -> datetime:
        """When something is to be decided of a term: its notice, its review, or its end."""
        days = self._ladder.rules.notice_days
        if term.noticed or term.grace_until or not term.earned or not days:
            return term.ends_at
        return min(days_later(term.keep_until, -days, zone=self._zone), term.keep_until)

    def _step(self, term: Term, *, at: datetime) -> None:
        if not term.earned:
            self.drop([term.id])
            self.arrive(Because.GRANT_ENDED, points=0, at=at)
        elif at < term.ends_at:
            self._notice(term, at=at)
        else:
            self._review(term, at=at)

    def _notice(self, term: Term, *, at: datetime) -> None:
        """Decide, once for a term, whether its member has to be told that it may fall."""
        self.terms[term.id] = replace(term, noticed=True)
        rank = self._ranks[term.level_code]
        day = last_day(at, zone=self._zone)
        if self._reached(term, through=day).rank >= rank:
            return
        others = [one for one in self.terms.values() if one.id != term.id]
        if any(
            self._ranks[one.level_code] >= rank and one.ends_at >= term.keep_until for one in others
        ):
            return
        self.risks.append(
            Risk(
                level_code=term.level_code,
                keep_until=term.keep_until,
                falls_at=self._grace_end(term),
            )
        )

    def _review(self, term: Term, *, at: datetime) -> None:
        """Decide a term whose time is over: renewed, in grace, or lowered to what was reached."""
        level = self._levels[term.level_code]
        reached = self._reached(term, through=last_day(at, zone=self._zone))
        if reached.rank >= level.rank:
            # What is held by another term is not gained once more, nor is a level in grace.
            others = max(
                (
                    self._ranks[one.level_code]
                    for one in self.terms.values()
                    if one.id != term.id and one.earned
                ),
                default=0,
            )
            higher = reached.rank > others and term.grace_until is None
            self._replace(term, self._anew(term, reached if higher else level, at=at))
            self.arrive(Because.QUALIFIED, points=self._period_points(term, at=at), at=at)
        elif term.grace_until is None and self._grace_end(term) > term.keep_until:
            self.terms[term.id] = replace(term, grace_until=self._grace_end(term))
        else:
            lower = self._anew(term, reached, at=at) if reached.rank else None
            self._replace(term, lower)
            self.arrive(Because.LOWERED, points=self._period_points(term, at=at), at=at)

    def _grace_end(self, term: Term) -> datetime:
        return days_later(term.keep_until, self._ladder.rules.grace_days, zone=self._zone)

    def _period_points(self, term: Term, *, at: datetime) -> int:
        return self.total(after=term.keep_after_day, through=last_day(at, zone=self._zone)).points

    def _reached(self, term: Term, *, through: date) -> LevelDefinition:
        """What was reached in the term's own period."""
        total = self.total(after=term.keep_after_day, through=through)
        return level_reached(total, levels=self._ladder.levels)

    def _anew(self, term: Term, level: LevelDefinition, *, at: datetime) -> Term:
        """The next term of one whose time is over: from its last day on, grace or not."""
        reached_on = last_day(term.keep_until, zone=self._zone)
        dates = term_dates(self._ladder.rules, reached_on=reached_on, zone=self._zone)
        return replace(
            term,
            level_code=level.code,
            kind=TermKind.QUALIFIED,
            since=term.since if level.code == term.level_code else at,
            keep_until=dates.keep_until,
            keep_after_day=dates.keep_after_day,
            basis_after_day=min(dates.basis_after_day, term.keep_after_day),
            asked=level.criteria,
            grace_until=None,
            noticed=False,
        )

    def _replace(self, term: Term, by: Term | None) -> None:
        self.drop([term.id])
        if by is not None:
            self.terms[by.id] = by

    def _reach(
        self, level: LevelDefinition, reach: Reach, *, now: datetime, came_with: UUID | None
    ) -> None:
        dates = term_dates(self._ladder.rules, reached_on=reach.reached_on, zone=self._zone)
        term = Term(
            id=uuid7(),
            level_code=level.code,
            kind=TermKind.QUALIFIED,
            since=now,
            keep_until=dates.keep_until,
            keep_after_day=dates.keep_after_day,
            basis_after_day=dates.basis_after_day,
            asked=level.criteria,
            came_with=came_with,
        )
        self.terms[term.id] = term

    def _fell(self, term: Term) -> bool:
        """Hold a term against what it rests on; whether that is less than it needs."""
        total = self.total(after=term.basis_after_day)
        if term.asked.met_by(total):
            return False
        level = level_reached(total, levels=self._ladder.levels)
        if level.rank >= self._ranks[term.level_code]:
            return False  # The level asks less by now.
        lower = replace(term, level_code=level.code, asked=level.criteria) if level.rank else None
        self._replace(term, lower)
        return True

    def _earned_rank(self) -> int:
        ranks = (self._ranks[one.level_code] for one in self.terms.values() if one.earned)
        return max(ranks, default=0)
