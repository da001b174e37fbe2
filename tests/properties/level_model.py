"""Levels from scratch: what docs/levels.md says of one member, in the plainest way.

All that ever happened is gone through again from the first day, purchase by purchase. Nothing of
the product is used, and no days are added up.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A level as it is defined; None is not asked. The first one asks nothing."""

    code: str
    points: int | None = None
    fen: int | None = None
    bought: int | None = None
    one_is_enough: bool = False

    def by(self, points: int, fen: int, bought: int) -> bool:
        """Whether that is enough."""
        pairs = [(points, self.points), (fen, self.fen), (bought, self.bought)]
        answers = [have >= least for have, least in pairs if least is not None]
        if not answers:
            return True
        return any(answers) if self.one_is_enough else all(answers)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """`months` of a rolling window; None for calendar years."""

    months: int | None
    grace_days: int
    notice_days: int
    zone: ZoneInfo


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at a moment, in the order in which it was recorded.

    BUY: `number` names it, on `day`. REFUND: of the purchase `number`, `whole` or a part. GRANT: of
    `code` until then, `number` names it. END: of the grant `number`.
    """

    what: str
    at: datetime
    number: int = 0
    day: date = date.min
    points: int = 0
    fen: int = 0
    whole: bool = False
    code: str = ""
    until: datetime = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Hold:
    """A level that is held, and why."""

    code: str
    granted: int = 0
    until: datetime
    since: datetime
    counts_after: date
    rests_after: date
    asked: Asked
    grace: datetime | None = None
    noticed: bool = False


@dataclass(kw_only=True)
class Bought:
    """A purchase with what is left of it."""

    day: date
    points: int
    fen: int
    whole: bool = True


@dataclass(kw_only=True)
class Life:
    """One member on the way through everything that happened."""

    rules: Rules
    levels: Sequence[Asked]
    code: str = ""
    bought: dict[int, Bought] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    moves: list[tuple[str, str, str, datetime]] = field(default_factory=list)
    notices: list[tuple[str, datetime]] = field(default_factory=list)

    def rank(self, code: str) -> int:
        """How high a level is."""
        return [level.code for level in self.levels].index(code)

    def reached(self, after: date, through: date) -> int:
        """The rank of the highest level that the days after one through another reach."""
        counted = [one for one in self.bought.values() if after < one.day <= through]
        points = sum(one.points for one in counted)
        fen = sum(one.fen for one in counted)
        times = sum(one.whole for one in counted)
        return max(n for n, level in enumerate(self.levels) if level.by(points, fen, times))

    def day_of(self, moment: datetime) -> date:
        """The local day."""
        return moment.astimezone(self.rules.zone).date()

    def last_day(self, until: datetime) -> date:
        """The local day that ends at `until`."""
        return self.day_of(until - timedelta(microseconds=1))

    def midnight(self, day: date) -> datetime:
        """The moment at which a local day begins."""
        return datetime.combine(day, time(), tzinfo=self.rules.zone).astimezone(UTC)

    def hold_from(self, day: date, rank: int, *, since: datetime) -> Hold:
        """A level that was reached on a day."""
        if self.rules.months is None:
            last, counts = date(day.year + 1, 12, 31), date(day.year, 12, 31)
            rests = date(day.year - 1, 12, 31)
        else:
            last, counts = months_on(day, self.rules.months), day
            rests = months_on(day, -self.rules.months)
        level = self.levels[rank]
        return Hold(
            code=level.code,
            until=self.midnight(last + timedelta(days=1)),
            since=since,
            counts_after=counts,
            rests_after=rests,
            asked=level,
        )

    def arrive(self, why: str, at: datetime) -> None:
        """The level is the highest that is held; levels of one kind are one."""
        kept: list[Hold] = []
        for hold in sorted(self.holds, key=lambda one: one.since):
            same = [one for one in kept if one.code == hold.code and not one.granted]
            if hold.granted or not same:
                kept.append(hold)
                continue
            longer = hold if hold.until >= same[0].until else same[0]
            kept.remove(same[0])
            kept.append(
                replace(
                    longer,
                    since=same[0].since,
                    rests_after=min(hold.rests_after, same[0].rests_after),
                )
            )
        self.holds = kept
        code = max([self.levels[0].code, *(one.code for one in kept)], key=self.rank)
        if code != self.code:
            self.moves.append((self.code, code, why, at))
            self.code = code

    def due(self, hold: Hold) -> datetime:
        """When something is to be decided of it next."""
        if hold.granted or hold.noticed or hold.grace or self.rules.notice_days == 0:
            return hold.grace or hold.until
        noticed = self.last_day(hold.until) - timedelta(days=self.rules.notice_days - 1)
        return self.midnight(noticed)

    def clock(self, now: datetime) -> None:
        """Let the time go on."""
        while True:
            late = [hold for hold in self.holds if self.due(hold) <= now]
            if not late:
                break
            first = min(late, key=lambda hold: (self.due(hold), self.rank(hold.code)))
            self.decide(first, self.due(first))
        self.renew(now)

    def decide(self, hold: Hold, at: datetime) -> None:
        """What becomes of it at that moment."""
        if hold.granted:
            self.holds.remove(hold)
            return self.arrive("GRANT_ENDED", at)
        rank = self.rank(hold.code)
        got = self.reached(hold.counts_after, self.last_day(at))
        others = [one for one in self.holds if one is not hold]
        if at < (hold.grace or hold.until):
            hold.noticed = True
            covered = any(
                self.rank(one.code) >= rank and (one.grace or one.until) >= hold.until
                for one in others
            )
            if got < rank and not covered:
                self.notices.append((hold.code, hold.until))
            return None
        if got >= rank:
            beside = max([0, *(self.rank(one.code) for one in others if not one.granted)])
            self.follow(hold, got if got > beside and not hold.grace else rank, at)
            return self.arrive("QUALIFIED", at)
        if hold.grace is None and self.rules.grace_days:
            last = self.last_day(hold.until) + timedelta(days=self.rules.grace_days + 1)
            hold.grace = self.midnight(last)
            return None
        self.follow(hold, got, at)
        return self.arrive("LOWERED", at)

    def follow(self, hold: Hold, rank: int, at: datetime) -> None:
        """The next term after one, or none at the base."""
        self.holds.remove(hold)
        if rank == 0:
            return
        since = hold.since if self.rank(hold.code) == rank else at
        after = self.hold_from(self.last_day(hold.until), rank, since=since)
        after.rests_after = min(after.rests_after, hold.counts_after)
        self.holds.append(after)

    def renew(self, now: datetime) -> None:
        """Whoever earned enough within the grace has the level for another term."""
        for hold in list(self.holds):
            rank = self.rank(hold.code)
            if hold.grace and self.reached(hold.counts_after, self.day_of(now)) >= rank:
                self.follow(hold, rank, now)

    def look(self, why: str, now: datetime) -> None:
        """Reach what the windows of today give."""
        today = self.day_of(now)
        for reached_on, after, through in self.windows(today):
            rank = self.reached(after, through)
            if rank > max([0, *(self.rank(one.code) for one in self.holds if not one.granted)]):
                self.holds.append(self.hold_from(reached_on, rank, since=now))
        self.arrive(why, now)

    def windows(self, today: date) -> list[tuple[date, date, date]]:
        """When reached, after which day, through which."""
        if self.rules.months is not None:
            return [(today, months_on(today, -self.rules.months), date.max)]
        last = date(today.year - 1, 12, 31)
        return [(today, last, date.max), (last, date(today.year - 2, 12, 31), last)]

    def happen(self, event: Event) -> None:
        """Take in what happened, after all that was due before."""
        self.clock(event.at)
        if event.what == "BUY":
            self.bought[event.number] = Bought(day=event.day, points=event.points, fen=event.fen)
            self.renew(event.at)
            self.look("QUALIFIED", event.at)
        elif event.what == "REFUND":
            bought = self.bought[event.number]
            bought.points -= event.points
            bought.fen -= event.fen
            bought.whole = bought.whole and not event.whole
            self.refunded(bought.day, event.at)
        elif event.what == "GRANT":
            hold = self.hold_from(self.day_of(event.at), self.rank(event.code), since=event.at)
            hold.granted, hold.until = event.number, event.until
            self.holds.append(hold)
            self.arrive("GRANTED", event.at)
        elif event.what == "END":
            self.holds = [one for one in self.holds if one.granted != event.number]
            self.arrive("GRANT_ENDED", event.at)

    def refunded(self, day: date, now: datetime) -> None:
        """Hold each level that rests on that day against what is left."""
        fell = False
        for hold in list(self.holds):
            if hold.granted or hold.rests_after >= day or self.stands(hold):
                continue
            rank = self.reached(hold.rests_after, date.max)
            if rank >= self.rank(hold.code):
                continue
            fell = True
            self.holds.remove(hold)
            if rank:
                level = self.levels[rank]
                self.holds.append(replace(hold, code=level.code, asked=level))
        if fell:
            self.look("REFUNDED", now)

    def stands(self, hold: Hold) -> bool:
        """Whether what is left is still what its level asked."""
        left = [one for one in self.bought.values() if one.day > hold.rests_after]
        return hold.asked.by(
            sum(one.points for one in left),
            sum(one.fen for one in left),
            sum(one.whole for one in left),
        )


def replayed(
    events: Sequence[Event], *, rules: Rules, levels: Sequence[Asked], now: datetime
) -> Life:
    """A member's life from scratch, as of `now`."""
    life = Life(rules=rules, levels=levels, code=levels[0].code)
    for event in events:
        life.happen(event)
    life.clock(now)
    return life


def months_on(day: date, months: int) -> date:
    """The same day some months on, or the last one of a month that has no such."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
