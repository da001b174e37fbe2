"""Random uses of perks, over days, levels and birthdays: what is left is what a plain model says.

The model keeps every use as it was and looks at each day by itself: it knows nothing of how the
product counts.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from domain import members, program, storage
from domain.errors import PerkNeedsBirthday, PerkQuotaUsed, PerkUnknown
from domain.ledger import local_midnight
from domain.members import ByExternalReference, ById, UpdateProfile
from domain.tiers import (
    CancelPerkUse,
    GrantLevel,
    PerkDefinition,
    PerkUsed,
    UsePerk,
    cancel_perk_use,
    define_levels,
    end_level_grant,
    grant_level,
    standing,
    use_perk,
)
from domain.tiers.perks import quotas, using
from domain.tiers.perks.standing import counted_from
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.levels import LEVELS, perk

ZONES: Final = ("Asia/Shanghai", "America/New_York", "Pacific/Kiritimati", "Pacific/Apia")
STEPS: Final = 70
DAY: Final = timedelta(days=1)

PERKS: Final = {
    "base": [perk(1, "base", "treat", quota=2, period="DAY")],
    "silver": [
        perk(2, "silver", "treat", quota=3, period="MONTH"),
        perk(3, "silver", "ride", quota=4, period="YEAR"),
        perk(4, "silver", "cake", quota=2, period="BIRTHDAY"),
    ],
    "gold": [
        perk(5, "gold", "treat"),
        perk(6, "gold", "ride", quota=1, period="DAY"),
        perk(7, "gold", "cake", quota=1, period="BIRTHDAY"),
    ],
}
BIRTHDAYS: Final = (date(1996, 2, 29), date(1996, 2, 28), date(1990, 3, 1), date(1985, 12, 31))

pytestmark = pytest.mark.soak


@dataclass(slots=True)
class Used:
    """A use: of what, when, and of a birthday's helping on which day that had begun."""

    code: str
    moment: datetime
    helping: date | None
    id: UUID
    cancelled: bool = False


@dataclass(slots=True)
class Model:
    """All that ever happened, and what follows from it."""

    zone: ZoneInfo
    birthday: date | None = None
    uses: list[Used] = field(default_factory=list)

    def left(self, found: PerkDefinition, day: date) -> int | None:
        """What is left of the perk on a local day."""
        if found.quota is None:
            return None
        if found.period == "BIRTHDAY" and self.birthday is None:
            return 0
        mine = [use for use in self.uses if use.code == found.code and not use.cancelled]
        return max(found.quota - sum(self._counts(use, found, day) for use in mine), 0)

    def resets(self, found: PerkDefinition, today: date) -> datetime | None:
        """The next day on which a period begins with all of the quota, if nothing more is used."""
        if found.quota is None or (found.period == "BIRTHDAY" and self.birthday is None):
            return None
        day = today + DAY
        while not (self._begins(found, day) and self.left(found, day) == found.quota):
            day += DAY
        return local_midnight(day, self.zone)

    def is_birthday(self, day: date) -> bool:
        """Whether the member celebrates on that day."""
        assert self.birthday is not None
        if (self.birthday.month, self.birthday.day) == (2, 29):
            return day.month == 2 and (day + DAY).month == 3
        return (day.month, day.day) == (self.birthday.month, self.birthday.day)

    def last_birthday(self, day: date) -> date:
        """The birthday on that day or before it."""
        while not self.is_birthday(day):
            day -= DAY
        return day

    def _begins(self, found: PerkDefinition, day: date) -> bool:
        match found.period:
            case "DAY":
                return True
            case "MONTH":
                return day.day == 1
            case "YEAR":
                return (day.month, day.day) == (1, 1)
        return self.is_birthday(day)

    def _counts(self, use: Used, found: PerkDefinition, day: date) -> bool:
        then = use.moment.astimezone(self.zone).date()
        match found.period:
            case "DAY":
                return then == day
            case "MONTH":
                return (then.year, then.month) == (day.year, day.month)
            case "YEAR":
                return then.year == day.year
        began = self.last_birthday(day)
        before = self.last_birthday(began - DAY)
        return then >= began or (use.helping is not None and use.helping > before)


@dataclass(slots=True)
class Life:
    """One member, whose days, level and birthday change at random."""

    member_id: UUID
    chance: Random
    model: Model
    done: Counter[str]
    now: datetime = NOW
    grants: dict[UUID, str] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The local day."""
        return self.now.astimezone(self.model.zone).date()

    @property
    def level(self) -> str:
        """The highest that was granted."""
        return max([*self.grants.values(), "base"], key=["base", "silver", "gold"].index)

    async def step(self) -> None:
        """Something happens; then what the member sees is what the model says."""
        doing = self.chance.choice([*[self.use] * 6, *[self.wait] * 3, self.rise, self.fall])
        if self.chance.random() < 0.2:
            doing = self.chance.choice([self.celebrate, self.give_back])
        await doing()
        await self.agrees()

    async def agrees(self) -> None:
        """What is left of each perk, and when it is full again."""
        birthday, zone = self.model.birthday, self.model.zone
        found = await standing(self.member_id, zone=zone, now=self.now, birthday=birthday)
        assert found is not None
        assert found.level.code == self.level
        assert [(one.code, one.remaining, one.resets_at) for one in found.perks] == [
            (one.code, self.model.left(one, self.today), self.model.resets(one, self.today))
            for one in PERKS[self.level]
        ]

    async def use(self) -> None:
        """Use a perk of the level, or now and then of another one."""
        level = self.level if self.chance.random() < 0.9 else self.chance.choice([*PERKS])
        wanted = self.chance.choice(PERKS[level])
        left = self.model.left(wanted, self.today)
        command = UsePerk(
            member_id=self.member_id, perk_id=wanted.id, idempotency_key=str(self.chance.random())
        )
        resets = self.model.resets(wanted, self.today)
        [outcome] = await asyncio.gather(use_perk(command, now=self.now), return_exceptions=True)
        self.done[type(outcome).__name__] += 1
        if level != self.level:
            assert isinstance(outcome, PerkUnknown)
        elif wanted.period == "BIRTHDAY" and self.model.birthday is None:
            assert isinstance(outcome, PerkNeedsBirthday)
        elif left == 0:
            assert isinstance(outcome, PerkQuotaUsed)
            assert outcome.resets_at == resets
        else:
            assert isinstance(outcome, PerkUsed)
            helping = None
            if wanted.period == "BIRTHDAY":
                helping = self.model.last_birthday(self.today)
            self.model.uses.append(Used(wanted.code, self.now, helping, outcome.use.id))
            assert outcome.perk is not None
            assert outcome.perk.remaining == self.model.left(wanted, self.today)
            # The key gives the same answer, whatever is left.
            assert await use_perk(command, now=self.now) == outcome

    async def wait(self) -> None:
        """Until just before a local midnight, or until it, or for hours, days or months."""
        midnight = local_midnight(self.today + DAY, self.model.zone)
        self.now = self.chance.choice(
            [
                midnight - timedelta(microseconds=1),
                midnight,
                self.now + timedelta(hours=self.chance.randrange(1, 30)),
                self.now + timedelta(days=self.chance.randrange(1, 40)),
                self.now + timedelta(days=self.chance.randrange(100, 400)),
            ]
        )
        self.done["waited"] += 1

    async def rise(self) -> None:
        """A level is granted, for long."""
        level = self.chance.choice(["silver", "gold"])
        command = GrantLevel(
            member=ById(self.member_id),
            level=level,
            reason=str(uuid4()),
            until=self.now + timedelta(days=3_650),
        )
        made = await grant_level(command, by=OPERATOR, now=self.now)
        self.grants[made.id] = level
        self.done["rose"] += 1

    async def fall(self) -> None:
        """A grant ends."""
        if self.grants:
            ended = self.chance.choice([*self.grants])
            del self.grants[ended]
            await end_level_grant(ended, by=OPERATOR, now=self.now)
            self.done["fell"] += 1

    async def celebrate(self) -> None:
        """The birthday is another one, or is not told any more."""
        chosen = self.today.replace(year=1980, day=min(self.today.day, 28))
        self.model.birthday = self.chance.choice([*BIRTHDAYS, chosen, None])
        told = UpdateProfile(member_id=self.member_id, birthday=self.model.birthday)
        await members.update_profile(told, now=self.now)
        self.done["another birthday"] += 1

    async def give_back(self) -> None:
        """A use is given back, or is so already."""
        if self.model.uses:
            use = self.chance.choice(self.model.uses)
            command = CancelPerkUse(member_id=self.member_id, use_id=use.id, reason="rain")
            await cancel_perk_use(command, by=OPERATOR, now=self.now)
            use.cancelled = True
            self.done["given back"] += 1


async def live(histories: int) -> Counter[str]:
    """So many histories, one after the other."""
    await define_levels(LEVELS, perks=[one for some in PERKS.values() for one in some], now=NOW)
    done: Counter[str] = Counter()
    for number in range(histories):
        chance = Random(number)
        zone = ZoneInfo(ZONES[number % len(ZONES)])
        await program.set_up(
            program.Programme(name_zh="茶", name_en="Tea", zone=zone, currency="CNY"), now=NOW
        )
        name = ByExternalReference(f"member-{number}")
        joined = await members.register_external_members([name], now=NOW)
        life = Life(
            member_id=dict(joined)[name.reference],
            chance=chance,
            model=Model(zone=zone),
            done=done,
        )
        for _ in range(STEPS):
            await life.step()
    return done


@pytest.mark.timeout(0)
async def test_what_is_left_is_what_a_plain_model_says(
    database: str, full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    histories = 200 if full_form else 4
    done = await live(histories)
    for what in ("PerkUsed", "PerkQuotaUsed", "PerkUnknown", "PerkNeedsBirthday", "given back"):
        assert done[what] > 0, what
    engine = database.split(":", maxsplit=1)[0]
    tally(f"steps of perks and their quotas on {engine}", histories * STEPS, 4 * STEPS)
    tally(f"uses of perks, refused by their quota, on {engine}", done["PerkQuotaUsed"], 4)
    tally(f"uses of perks on {engine}", done["PerkUsed"], 40)


def _plain_birthday(year: int, birthday: date) -> date:
    day = 28 if (birthday.month, birthday.day) == (2, 29) else birthday.day
    return birthday.replace(year=year, day=day)


def _no_look_back(*, today: date, birthday: date | None) -> tuple[date, ...]:
    return (*counted_from(today=today, birthday=birthday)[:-1], date.max)


def _yesterday_too(*, today: date, birthday: date | None) -> tuple[date, ...]:
    return counted_from(today=today - DAY, birthday=birthday)


BUGS: Final = {
    "29 February is always the 28th": ("birthday_in", _plain_birthday),
    "another birthday is another helping": ("counted_from", _no_look_back),
    "yesterday counts": ("counted_from", _yesterday_too),
}


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[None]:
    await storage.connect(sqlite_url)
    await storage.execute("PRAGMA synchronous = OFF")
    yield
    await storage.close()


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the page that a member sees and the use itself count by what is broken here."""
    name, broken = BUGS[bug]
    for place in (quotas, using, sys.modules["domain.tiers.standing"]):
        if hasattr(place, name):
            monkeypatch.setattr(place, name, broken)
    with pytest.raises(AssertionError):
        await live(100)
