"""What the points ledger should do, written from its contract in another way than the ledger is.

Points are counted by place: of each lot so many are waiting, free, or set aside by a hold; what is
spent is nowhere. No balance is kept: each is a sum over places, and what an entry moved is the
difference of the sums around it. Time passes by asking, again and again, what is due next. Nothing
is imported from the ledger; a refusal is the name of a rule and its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeAlias
from uuid import UUID

MOST = 2**53 - 1
Place: TypeAlias = str | UUID
FREE, WAITING = "free", "waiting"
Balances: TypeAlias = tuple[int, int, int, int]
"""Available, pending, held, debt."""
Moment: TypeAlias = tuple[datetime, int, int]
"""When, what kind of thing (maturing, running out, closing), which lot or hold."""


class Refused(Exception):
    """A rule forbids it; the facts that go with it."""

    def __init__(self, rule: str, **facts: object) -> None:
        super().__init__(rule, facts)
        self.rule, self.facts = rule, facts


@dataclass(frozen=True, slots=True)
class Lot:
    entry: int
    size: int
    opens: datetime
    closes: datetime
    parent: int | None = None


@dataclass(slots=True)
class Hold:
    points: int
    closes: datetime
    state: str = "OPEN"
    captured: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the journal: `after` is the available balance, `moved` what each balance gained."""

    kind: str
    amount: int
    after: int
    when: datetime
    moved: Balances


@dataclass(slots=True)
class Member:
    """One member. Lot n is `lots[n - 1]`, entry n is `journal[n - 1]`."""

    lots: list[Lot] = field(default_factory=list)
    places: dict[tuple[int, Place], int] = field(default_factory=dict)
    owed: int = 0
    holds: dict[UUID, Hold] = field(default_factory=dict)
    journal: list[Line] = field(default_factory=list)
    paid_by: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """The pile of what paid for an entry and did not come back: the last taken lies on top."""
    undone: dict[int, dict[str, int]] = field(default_factory=dict)

    def at(self, place: Place) -> int:
        return sum(points for (_, where), points in self.places.items() if where == place)

    def held(self) -> int:
        return sum(points for (_, at), points in self.places.items() if at not in (FREE, WAITING))

    @property
    def balances(self) -> Balances:
        return self.at(FREE), self.at(WAITING), self.held(), self.owed

    def left_of(self, entry: int) -> int:
        """What of an entry was not undone yet."""
        return abs(self.journal[entry - 1].amount) - sum(self.undone.get(entry, {}).values())

    def closing(self, *, until: datetime) -> list[tuple[datetime, int]]:
        """What is free and closes by then, summed by moment."""
        sums: dict[datetime, int] = {}
        for number, lot in self._lots_at(FREE):
            if lot.closes <= until:
                sums[lot.closes] = sums.get(lot.closes, 0) + self.places[number, FREE]
        return sorted(sums.items())

    def until(self, now: datetime) -> None:
        """Let happen, one after the other, what happens by itself until `now`."""
        while due := self._next_due(now):
            (when, _, _), happen = due
            happen(when)

    def earn(self, points: int, *, since: datetime, opens: datetime, closes: datetime) -> None:
        _in_range(points)
        self.has_room(points)
        waits = opens > since
        with_it = Lot(len(self.journal) + 1, points, opens, closes)
        self._line("EARN", points, since, lambda: self._add(with_it, WAITING if waits else FREE))

    def mature(self, entry: int, *, now: datetime) -> None:
        waiting = [n for n, lot in self._lots_at(WAITING) if lot.entry == entry]
        if not waiting:
            raise self._not_reversible(entry)
        for number in waiting:
            self._open(number, now)

    def spend(self, kind: str, points: int, *, now: datetime) -> list[tuple[int, int]]:
        """Redeem, transfer out or adjust down; which lots paid how much."""
        _in_range(points)
        self.suffices(points)
        paid: list[tuple[int, int]] = []
        self._line(kind, -points, now, lambda: paid.extend(self._take(points, FREE)))
        self.paid_by[len(self.journal)] = paid
        return paid

    def set_aside(self, points: int, *, hold: UUID, closes: datetime, now: datetime) -> None:
        _in_range(points)
        self.suffices(points)
        self.holds[hold] = Hold(points, closes)
        self._line("HOLD", -points, now, lambda: self._take(points, FREE, to=hold))

    def capture(self, points: int | None, *, hold: UUID, now: datetime) -> None:
        if points is not None:
            _in_range(points)
        held = self._open_hold(hold)
        amount = held.points if points is None else points
        if amount > held.points:
            raise Refused("InsufficientPoints", available=held.points, requested=amount)
        paid: list[tuple[int, int]] = []
        freed: list[tuple[int, int]] = []

        def captured() -> None:
            paid.extend(self._take(amount, hold))
            freed.extend(self._take(self.at(hold), hold, to=FREE))

        self._line("CAPTURE", -amount, now, captured)
        self.paid_by[len(self.journal)] = paid
        held.state, held.captured = "CAPTURED", amount
        self._close_late(freed, now)

    def release(self, hold: UUID, *, now: datetime) -> None:
        self._open_hold(hold)
        self._give_hold_back(hold, "RELEASED", now)

    def take_back(self, points: int, *, entry: int, cause: str, now: datetime) -> None:
        _in_range(points)
        self._may_undo(points, entry, {"EARN"}, cause)
        own = {n for n, lot in enumerate(self.lots, 1) if lot.entry == entry}
        waiting = sum(self.places.get((n, WAITING), 0) for n in own)
        owed = self.owed + max(0, points - waiting - self.at(FREE))
        if owed > MOST:
            raise Refused("PointsOutOfRange", points=owed)

        def taken_back() -> None:
            left = points
            for place, lots in ((WAITING, own), (FREE, own), (FREE, None)):
                left -= sum(taken for _, taken in self._take(left, place, of=lots))
            self.owed += left

        self._line("REVERSAL", -points, now, taken_back)
        self.undone.setdefault(entry, {})[cause] = points

    def give_back(
        self, points: int, *, entry: int, cause: str, grace: datetime, now: datetime
    ) -> None:
        _in_range(points)
        self._may_undo(points, entry, {"REDEEM", "CAPTURE"}, cause)
        self.has_room(points)
        back = _taken_off(self.paid_by[entry], points)

        def given_back() -> None:
            entry_now = len(self.journal) + 1
            for parent, amount in back:
                closes = self.lots[parent - 1].closes
                closes = closes if closes > now else grace
                self._add(Lot(entry_now, amount, now, closes, parent), FREE)

        self._line("REVERSAL", points, now, given_back)
        self.undone.setdefault(entry, {})[cause] = points

    def receive(self, kind: str, lots: Iterable[tuple[int, datetime]], *, now: datetime) -> None:
        """Transfer in or adjust up: so many points that close then, for each lot."""
        made = [Lot(len(self.journal) + 1, points, now, closes) for points, closes in lots]

        def received() -> None:
            for lot in made:
                self._add(lot, FREE)

        self._line(kind, sum(lot.size for lot in made), now, received)

    # What follows moves points between places.

    def _line(self, kind: str, amount: int, when: datetime, move: Callable[[], object]) -> None:
        before = self.balances
        move()
        # Debt is paid by whatever becomes free, as soon as it does.
        paid = self._take(min(self.owed, self.at(FREE)), FREE)
        self.owed -= sum(points for _, points in paid)
        after = self.balances
        moved = (
            after[0] - before[0],
            after[1] - before[1],
            after[2] - before[2],
            after[3] - before[3],
        )
        self.journal.append(Line(kind, amount, after[0], when, moved))

    def _add(self, lot: Lot, place: Place) -> None:
        self.lots.append(lot)
        self.places[len(self.lots), place] = lot.size

    def _lots_at(self, place: Place) -> list[tuple[int, Lot]]:
        """Those with points there, soonest-closing first, ties by lot."""
        numbers = [number for number, where in self.places if where == place]
        return sorted(
            ((number, self.lots[number - 1]) for number in numbers),
            key=lambda each: (each[1].closes, each[0]),
        )

    def _take(
        self, points: int, place: Place, *, to: Place | None = None, of: set[int] | None = None
    ) -> list[tuple[int, int]]:
        """Take up to `points` from a place, in the order of spending; by lot, what was taken."""
        taken = []
        for number, _ in self._lots_at(place):
            part = min(points, self.places[number, place])
            if part == 0 or (of is not None and number not in of):
                continue
            points -= part
            taken.append((number, part))
            self.places[number, place] -= part
            if self.places[number, place] == 0:
                del self.places[number, place]
            if to is not None:
                self.places[number, to] = self.places.get((number, to), 0) + part
        return taken

    # What follows is what happens by itself.

    def _next_due(self, now: datetime) -> tuple[Moment, Callable[[datetime], None]] | None:
        """What is due first, and how it happens."""
        due: list[tuple[Moment, Callable[[datetime], None]]] = []
        for number, lot in self._lots_at(WAITING):
            if lot.opens <= min(now, lot.closes):
                due.append(((lot.opens, 0, number), partial(self._open, number)))
        for hold, held in self.holds.items():
            if held.state == "OPEN" and held.closes <= now:
                due.append(((held.closes, 1, hold.int), partial(self._run_out, hold)))
        for number, lot in (*self._lots_at(WAITING), *self._lots_at(FREE)):
            if lot.closes <= now:
                due.append(((lot.closes, 2, number), partial(self._close, number)))
        return min(due, key=lambda each: each[0], default=None)

    def _open(self, lot: int, when: datetime) -> None:
        points = self.places[lot, WAITING]
        self._line("MATURE", points, when, lambda: self._take(points, WAITING, to=FREE, of={lot}))

    def _close(self, lot: int, when: datetime) -> None:
        place = WAITING if (lot, WAITING) in self.places else FREE
        points = self.places[lot, place]
        self._line("EXPIRE", -points, when, lambda: self._take(points, place, of={lot}))

    def _run_out(self, hold: UUID, when: datetime) -> None:
        self._give_hold_back(hold, "EXPIRED", when)

    def _give_hold_back(self, hold: UUID, state: str, when: datetime) -> None:
        points = self.holds[hold].points
        freed: list[tuple[int, int]] = []
        self._line("RELEASE", points, when, lambda: freed.extend(self._take(points, hold, to=FREE)))
        self.holds[hold].state = state
        self._close_late(freed, when)

    def _close_late(self, freed: list[tuple[int, int]], when: datetime) -> None:
        """What closed while it was set aside closes now."""
        for lot, _ in freed:
            if self.lots[lot - 1].closes <= when and (lot, FREE) in self.places:
                self._close(lot, when)

    # What follows refuses.

    def has_room(self, points: int) -> None:
        total = sum(self.places.values()) + points
        if total > MOST:
            raise Refused("PointsOutOfRange", points=total)

    def suffices(self, points: int) -> None:
        if points > self.at(FREE):
            raise Refused("InsufficientPoints", available=self.at(FREE), requested=points)

    def _open_hold(self, hold: UUID) -> Hold:
        held = self.holds.get(hold)
        if held is None or held.state != "OPEN":
            raise Refused("HoldNotOpen", state=held.state if held else None)
        return held

    def _may_undo(self, points: int, entry: int, kinds: set[str], cause: str) -> None:
        if entry > len(self.journal) or self.journal[entry - 1].kind not in kinds:
            raise self._not_reversible(entry)
        if cause in self.undone.get(entry, {}):
            raise Refused("ReversedBefore", reference=cause)
        if points > self.left_of(entry):
            raise Refused("ReversalExceeds", left=self.left_of(entry), requested=points)

    def _not_reversible(self, entry: int) -> Refused:
        known = entry <= len(self.journal)
        kind = self.journal[entry - 1].kind if known else None
        return Refused("EntryNotReversible", entry=entry, kind=kind)


def transfer(giver: Member, taker: Member, points: int, *, now: datetime) -> None:
    """Each lot's points keep the moment at which they close."""
    _in_range(points)
    giver.suffices(points)
    taker.has_room(points)
    paid = giver.spend("TRANSFER_OUT", points, now=now)
    taker.receive(
        "TRANSFER_IN", [(part, giver.lots[lot - 1].closes) for lot, part in paid], now=now
    )


def adjust(member: Member, points: int, *, closes: datetime, now: datetime) -> None:
    _in_range(abs(points))
    if points < 0:
        member.spend("ADJUST", -points, now=now)
    else:
        member.has_room(points)
        member.receive("ADJUST", [(points, closes)], now=now)


def _in_range(points: int) -> None:
    if not 0 < points <= MOST:
        raise Refused("PointsOutOfRange", points=points)


def _taken_off(pile: list[tuple[int, int]], points: int) -> list[tuple[int, int]]:
    """Take points off the top of a pile."""
    taken = []
    while points:
        lot, there = pile.pop()
        part = min(there, points)
        points -= part
        taken.append((lot, part))
        if there > part:
            pile.append((lot, there - part))
    return taken
