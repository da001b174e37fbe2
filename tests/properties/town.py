"""Members whose points move in the ledger and in the model, compared after every step.

The members are independent but for what they transfer; they post in one batch and share one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from domain.errors import Refusal
from domain.ledger import (
    NEVER,
    Command,
    Earn,
    Key,
    Outcome,
    Posted,
    Redeem,
    Source,
    balance,
    post,
    sweep,
)
from domain.ledger.auditing import verify_accounts
from domain.ledger.commands import (
    Adjust,
    Capture,
    GiveBack,
    Mature,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import EntryKind
from domain.ledger.reading import EXPIRING_SOON
from domain.storage import transaction
from tests.properties import model
from tests.properties.model import MOST, Member, Refused
from tests.properties.stored import Stored, expected, stored

Tick: TypeAlias = tuple[int, int]
"""How the clock moves, and towards which of the members' due moments."""

NEW_YEARS_EVE: Final = datetime(2027, 12, 30, 14, tzinfo=UTC)
"""Before a leap year's first day, in the afternoon of which Shanghai is in the next year."""
HOUR, DAY, INSTANT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
_WAYS = (HOUR, HOUR, DAY, DAY, 7 * DAY, 45 * DAY)
TICKS: Final = 12
SWEPT_FROM: Final = 208
"""The sweeper comes by after a tick towards whom this number or a higher one names."""


class Difference(AssertionError):
    """The ledger and the model, or the ledger and its own rules, disagree."""

    def __init__(self, members: Sequence[UUID], what: str, story: Sequence[str]) -> None:
        super().__init__("\n".join((what, f"of {[member.int for member in members]}:", *story)))
        self.members = members
        self.rounds = 0


@dataclass(slots=True)
class Town:
    """Members, what the model holds of each, and what was posted so far."""

    members: Sequence[UUID]
    now: datetime = NEW_YEARS_EVE
    models: dict[UUID, Member] = field(default_factory=dict)
    answered: dict[Key, tuple[Command, Posted]] = field(default_factory=dict)
    refused: dict[UUID, list[Command]] = field(default_factory=dict)
    kept: dict[UUID, Stored] = field(default_factory=dict)
    known: dict[UUID, int] = field(default_factory=dict)
    story: list[tuple[tuple[UUID, ...], str]] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for member in self.members:
            self.models[member] = Member()
            self.refused[member] = []
            self.kept[member] = Stored()
            self.known[member] = 0

    def tick(self, tick: Tick) -> None:
        """Move the clock, or not; to a due moment exactly, or one microsecond beside it."""
        how, whose = tick
        if how < TICKS - 5:
            return
        if how < TICKS - 3:
            self.now += _WAYS[whose % len(_WAYS)]
        else:
            moments = due_moments(self.models[self.members[whose % len(self.members)]], self.now)
            moment = moments[whose % len(moments)] if moments else self.now
            self.now = max(self.now, moment + (how - TICKS + 2) * INSTANT)
        self.story.append((tuple(self.members), f"it is {self.now:%Y-%m-%d %H:%M:%S.%f}"))

    async def step(self, batches: Sequence[Sequence[Command]]) -> None:
        """Post the batches, one after the other, then compare everything."""
        moved: set[UUID] = set()
        for batch in batches:
            for command, answer in zip(batch, await self._answers(batch), strict=True):
                wanted = self.expect(command)
                self.story.append((concerned(command), f"{told(command)} -> {told(answer)}"))
                if not same(answer, wanted):
                    raise self.difference(
                        concerned(command), f"answered {answer!r}, not {wanted!r}"
                    )
                self.remember(command, answer)
                if isinstance(answer, Posted) and not answer.replayed:
                    moved.update(concerned(command))
        await self.compare(moved)

    async def sweep(self) -> None:
        """Let the sweeper write what is due. Readers, who reckon it, are shown the same of it."""
        for member in self.members:
            self.models[member].until(self.now)
        # Of the others nothing is due, and they are compared after every step.
        due = {member for member in self.members if self._has_unwritten(member)}
        if not due:
            return
        self.story.append((tuple(self.members), "the sweeper comes by"))
        for member in due:
            self._compare_shown(member, await balance(member, now=self.now))
        swept = await sweep(now=self.now, accounts_max=1_000_000, within_s=60.0)
        if not swept.done or swept.unsound:
            raise self.difference(tuple(self.members), f"swept {swept}")
        await self.compare(due)
        self.effects["a sweep"] = self.effects.get("a sweep", 0) + 1

    def _has_unwritten(self, member: UUID) -> bool:
        """Whether the journal of the model is ahead of what was read of the stored one."""
        return len(self.models[member].journal) > self.known[member]

    async def _answers(self, batch: Sequence[Command]) -> list[Outcome]:
        try:
            return await post(batch, now=self.now)
        except Exception as fault:
            members = tuple({member for command in batch for member in concerned(command)})
            self.story += [(concerned(command), told(command)) for command in batch]
            name = type(fault).__name__
            raise self.difference(members, f"no answer, but {name}: {fault}") from fault

    def remember(self, command: Command, answer: Outcome) -> None:
        if isinstance(answer, Refusal):
            self.refused[command.member_id].append(command)
            name = type(answer).__name__
        else:
            assert command.key is not None
            self.answered.setdefault(command.key, (command, answer))
            name = "a replay" if answer.replayed else answer.kind.value
        self.effects[name] = self.effects.get(name, 0) + 1

    async def compare(self, moved: set[UUID]) -> None:
        """What is stored, what readers are shown, and what the ledger says of itself."""
        rows = await stored({member: self.known[member] for member in self.members})
        for member in self.members:
            self.models[member].until(self.now)
            wanted = self.kept[member]
            if member in moved:
                wanted = expected(self.models[member], known=self.known[member])
            for part in fields(Stored):
                found, should = getattr(rows[member], part.name), getattr(wanted, part.name)
                if found != should:
                    raise self.difference((member,), f"{part.name}: {found}\nnot: {should}")
            if member in moved:
                self.known[member] = len(self.models[member].journal)
                self.kept[member] = replace(wanted, entries=[])
        await transaction(lambda: self._read(moved))

    async def _read(self, moved: set[UUID]) -> None:
        for member in self.members:
            self._compare_shown(member, await balance(member, now=self.now))
        checked = await verify_accounts(list(moved))
        if found := checked.violations:
            raise self.difference((found[0].member_id,), f"violations: {found}")

    def _compare_shown(self, member: UUID, shown: Any) -> None:
        found = (shown.available, shown.pending, shown.held, shown.debt)
        if found != self.models[member].balances:
            raise self.difference((member,), f"shown {found}, not {self.models[member].balances}")
        soon = [(one.expires_at, one.points) for one in shown.expiring_soon]
        should = self.models[member].closing(until=self.now + EXPIRING_SOON)[:12]
        if soon != should or shown.version != self.known[member]:
            raise self.difference((member,), f"expiring soon {soon}, not {should}")

    def difference(self, members: tuple[UUID, ...], what: str) -> Difference:
        """With the story of whom it is about."""
        lines = [line for whom, line in self.story if set(whom) & set(members)]
        return Difference(members, what, lines)

    # What the model makes of a command.

    def expect(self, command: Command) -> Posted | Refused:
        try:
            return self._done(command)
        except Refused as refused:
            return refused

    def _done(self, command: Command) -> Posted:
        if isinstance(command, Transfer) and command.member_id == command.to_member_id:
            raise Refused("InvalidInput")
        points = getattr(command, "points", None)
        if points is not None and not 0 < abs(points) <= MOST:
            raise Refused("PointsOutOfRange", points=abs(points))
        if points is not None and points < 0 and not isinstance(command, Adjust):
            raise Refused("PointsOutOfRange", points=points)
        assert command.key is not None
        if command.key in self.answered:
            first, answer = self.answered[command.key]
            if differing := differing_fields(first, command):
                raise Refused("IdempotencyConflict", key=command.key.key, differing=differing)
            return replace(answer, replayed=True)
        for member in concerned(command):
            self.models[member].until(self.now)
        mine = self.models[command.member_id]
        seq = len(mine.journal) + 1
        self._do(command, mine)
        line = mine.journal[seq - 1]
        for member in concerned(command):
            self.models[member].until(self.now)
        return Posted(
            member_id=command.member_id,
            seq=seq,
            kind=EntryKind(line.kind),
            amount=line.amount,
            balance_after=line.after,
        )

    def _do(self, command: Command, mine: Member) -> None:
        now = self.now
        match command:
            case Earn():
                since = command.effective_at
                opens = command.matures_at or since
                mine.earn(command.points, since=since, opens=opens, closes=command.expires_at)
            case Mature():
                mine.mature(command.entry_seq, now=now)
            case Redeem():
                mine.spend("REDEEM", command.points, now=now)
            case SetAside(points=points, hold_id=hold):
                mine.set_aside(points, hold=hold, closes=command.expires_at, now=now)
            case Capture():
                mine.capture(command.points, hold=command.hold_id, now=now)
            case Release():
                mine.release(command.hold_id, now=now)
            case TakeBack(entry_seq=entry):
                cause = command.source.reference
                mine.take_back(command.points, entry=entry, cause=cause, now=now)
            case GiveBack(entry_seq=entry):
                cause, grace = command.source.reference, command.grace_until
                mine.give_back(command.points, entry=entry, cause=cause, grace=grace, now=now)
            case Transfer():
                model.transfer(mine, self.models[command.to_member_id], command.points, now=now)
            case Adjust():
                model.adjust(mine, command.points, closes=command.expires_at, now=now)


def concerned(command: Command) -> tuple[UUID, ...]:
    if isinstance(command, Transfer):
        return command.member_id, command.to_member_id
    return (command.member_id,)


def differing_fields(first: Command, second: Command) -> tuple[str, ...]:
    names = sorted(each.name for each in fields(first))
    return tuple(name for name in names if getattr(first, name) != getattr(second, name))


def same(answer: Outcome, wanted: Posted | Refused) -> bool:
    if isinstance(wanted, Posted):
        return answer == wanted
    return type(answer).__name__ == wanted.rule and all(
        getattr(answer, name) == fact for name, fact in wanted.facts.items()
    )


def told(what: object) -> str:
    """Short enough to be read in a story."""
    if isinstance(what, Posted):
        again = " again" if what.replayed else ""
        return f"{what.seq}: {what.kind} {what.amount}, {what.balance_after} after{again}"
    if isinstance(what, Refusal):
        return repr(what)
    left_out = {"reason", "note", "owner"}
    values = {each.name: getattr(what, each.name) for each in fields(what)}  # type: ignore[arg-type]
    shown = ", ".join(
        f"{name}={_short(value)}"
        for name, value in values.items()
        if name not in left_out and value is not None
    )
    return f"{type(what).__name__}({shown})"


def _short(value: object) -> str:
    match value:
        case UUID():
            return f"{value.int if value.int < 2**64 else value}"
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%S.%f}"
        case Source():
            return value.reference
        case Key():
            return value.key
        case _:
            return str(value)


def due_moments(member: Member, now: datetime) -> list[datetime]:
    """When something happens by itself, soonest first."""
    moments = {hold.closes for hold in member.holds.values() if hold.state == "OPEN"}
    for number, _ in member.places:
        lot = member.lots[number - 1]
        moments |= {lot.opens, lot.closes}
    return sorted(moment for moment in moments if now < moment < NEVER)
