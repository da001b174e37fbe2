"""Random histories of one account in which time passes, kept with what readers were shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from domain import revisions
from domain.errors import Refusal
from domain.ledger import EXPIRING_SOON, Balance, balance, post, sweep
from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    GiveBack,
    Mature,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import Source
from domain.ledger.expiry import NEVER
from domain.revisions import Revision
from domain.storage import Row, fetch_all, fetch_one
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

Balances = tuple[int, int, int, int]
"""Available, pending, held, debt."""

MICROSECOND = timedelta(microseconds=1)
SPANS = [timedelta(0), timedelta(hours=1), days(1), days(1), days(3), days(10), days(40)]


async def told(*, now: datetime) -> Balances:
    """What a reader is shown."""
    found = await balance(ALICE, now=now)
    return found.available, found.pending, found.held, found.debt


async def stored() -> Balances:
    """What stands in the account."""
    row = await fetch_one(
        "SELECT available, pending, held, debt FROM points_account WHERE member_id = $1", ALICE
    )
    return (row["available"], row["pending"], row["held"], row["debt"]) if row else (0, 0, 0, 0)


@dataclass(slots=True)
class Past:
    """One history. `shown` is what readers saw, moment by moment; `steps` is for the report."""

    chance: Random
    now: datetime = NOW
    holds: list[UUID] = field(default_factory=list)
    shown: list[tuple[datetime, Balances]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    revised: dict[Revision, Balance] = field(default_factory=dict)
    number: int = 0
    sweeps: bool = True

    async def live(self, steps: int) -> None:
        """Take random steps. Time passes between any two, and readers look all the time."""
        for _ in range(steps):
            for _ in range(self.chance.randrange(3)):
                await self.look()
                await self.pass_time()
            # What is posted at the very moment of a look was not seen by it.
            self.now += MICROSECOND
            await self.step()
            await self.look()
            self.now += MICROSECOND * self.chance.randrange(10**9)

    async def pass_time(self) -> None:
        """Any time, or until something happens by itself: looked at just before it too."""
        moment = await self.next_moment() if self.chance.random() < 0.6 else None
        if moment is None or moment > self.now + days(60):
            self.now += self.chance.choice(SPANS)
            return
        self.now = max(self.now, moment - MICROSECOND)
        await self.look()
        self.now = moment
        await self.look()

    async def next_moment(self) -> datetime | None:
        """When something falls due next, or comes to expire soon."""
        lots = await fetch_all("SELECT matures_at, expires_at FROM points_lot WHERE remaining > 0")
        holds = await fetch_all("SELECT expires_at FROM points_hold WHERE state = 'OPEN'")
        moments = {row["expires_at"] for row in holds}
        for row in lots:
            moments |= {row["matures_at"], row["expires_at"], row["expires_at"] - EXPIRING_SOON}
        return min((moment for moment in moments if moment > self.now), default=None)

    async def look(self) -> None:
        """Look at the balances. What is told under one revision is the same."""
        revision = await revisions.revision(ALICE, now=self.now)
        found = await balance(ALICE, now=self.now)
        assert self.revised.setdefault(revision, found) == found, self.steps
        self.shown.append((self.now, (found.available, found.pending, found.held, found.debt)))

    async def step(self) -> None:
        """One posting, or a run of the sweeper."""
        if self.sweeps and self.chance.random() < 0.15:
            before = await told(now=self.now)
            swept = await sweep(now=self.now, accounts_max=100, within_s=10)
            self.steps.append(f"{self.now} sweep: {swept.entries}")
            assert await stored() == before, self.steps
            return
        made: list[Command] = []
        for _ in range(self.chance.choice([1, 1, 1, 2, 4])):
            make = self.chance.choice(MAKERS)
            command = await make(self)
            if command is not None:
                made.append(command)
        outcomes = await post(made, now=self.now)
        for command, outcome in zip(made, outcomes, strict=True):
            self.steps.append(f"{self.now} {command} -> {outcome}")
            if isinstance(command, SetAside) and not isinstance(outcome, Refusal):
                self.holds.append(command.hold_id)

    def reference(self) -> Source:
        self.number += 1
        return Source(kind="test", reference=f"r-{self.number}")

    def moment(self, *choices: float) -> datetime:
        return self.now + days(self.chance.choice(choices))

    async def entry_of(self, *kinds: str) -> int | None:
        rows = await fetch_all(
            "SELECT seq FROM points_entry WHERE member_id = $1 AND kind = ANY($2::text[])",
            ALICE,
            list(kinds),
        )
        return self.chance.choice([row["seq"] for row in rows]) if rows else None


async def earning(past: Past) -> Command:
    at = past.moment(0, 0, -1, -5, -30)
    matures = past.chance.choice([None, None, 1, 1, 4, 20])
    lives = past.chance.choice([2, 6, 6, 30, 100, None])
    return earn(
        past.chance.choice([1, 10, 50, 200]),
        at=at,
        matures=None if matures is None else at + days(matures),
        expires=NEVER if lives is None else at + days(lives),
        source=past.reference(),
    )


async def spending(past: Past) -> Command:
    return redeem(past.chance.choice([1, 20, 100]), source=past.reference())


async def holding(past: Past) -> Command:
    source = past.reference()
    return SetAside(
        member_id=ALICE,
        hold_id=UUID(int=past.number),
        owner="shop",
        points=past.chance.choice([5, 30, 100]),
        expires_at=past.moment(0.5, 3, 15),
        source=source,
    )


async def capturing(past: Past) -> Command | None:
    if not past.holds:
        return None
    hold = past.chance.choice(past.holds)
    points = past.chance.choice([None, 1, 5])
    return Capture(member_id=ALICE, hold_id=hold, points=points, source=past.reference())


async def releasing(past: Past) -> Command | None:
    if not past.holds:
        return None
    hold = past.chance.choice(past.holds)
    return Release(member_id=ALICE, hold_id=hold, source=past.reference())


async def taking_back(past: Past) -> Command | None:
    entry = await past.entry_of("EARN")
    if entry is None:
        return None
    points = past.chance.choice([1, 10, 50])
    return TakeBack(member_id=ALICE, entry_seq=entry, points=points, source=past.reference())


async def giving_back(past: Past) -> Command | None:
    entry = await past.entry_of("REDEEM", "CAPTURE")
    if entry is None:
        return None
    return GiveBack(
        member_id=ALICE,
        entry_seq=entry,
        points=past.chance.choice([1, 10]),
        grace_until=past.moment(2, 20),
        source=past.reference(),
    )


async def maturing(past: Past) -> Command | None:
    entry = await past.entry_of("EARN")
    if entry is None:
        return None
    return Mature(member_id=ALICE, entry_seq=entry, source=past.reference())


async def adjusting(past: Past) -> Command:
    return Adjust(
        member_id=ALICE,
        points=past.chance.choice([-30, 40]),
        reason="补偿",
        expires_at=past.moment(3, 60),
        source=past.reference(),
    )


async def giving(past: Past) -> Command:
    return Transfer(
        member_id=ALICE,
        to_member_id=BOB,
        points=past.chance.choice([10, 60]),
        source=past.reference(),
    )


MAKERS: list[Callable[[Past], Awaitable[Command | None]]] = [
    earning,
    earning,
    earning,
    spending,
    spending,
    holding,
    holding,
    capturing,
    releasing,
    taking_back,
    taking_back,
    giving_back,
    maturing,
    adjusting,
    giving,
]


def counted(
    entries: Sequence[Row], *, as_of: datetime, known_at: datetime
) -> tuple[Balances, list[int]]:
    """The balances of that moment as known then, by looking at every entry; newest entries first.

    An entry that time causes is known from when it fell due, or from when its cause was known;
    any other from when it was written. Nothing is due that is not written.
    """
    sums = [0, 0, 0, 0]
    found = []
    caused_at = NOW
    for entry in entries:
        if by_time(entry):
            known_from = max(entry["effective_at"], caused_at)
        else:
            known_from = caused_at = entry["recorded_at"]
        effective = min(entry["effective_at"], entry["recorded_at"])
        if known_from <= known_at and effective <= min(as_of, known_at):
            found.append(entry["seq"])
            for place, name in enumerate(("available", "pending", "held", "debt")):
                sums[place] += entry[f"{name}_change"]
    available, pending, held, debt = sums
    if available < 0 or debt < 0 or (available and debt):
        available, debt = max(available - debt, 0), max(debt - available, 0)
    return (available, pending, held, debt), found[::-1]


def by_time(entry: Row) -> bool:
    return (entry["kind"], entry["source_kind"]) in {
        ("EXPIRE", "expiry"),
        ("MATURE", "maturity"),
        ("RELEASE", "hold-expiry"),
    }
