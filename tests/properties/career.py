"""Members whose levels go up and down by chance, compared with the model from scratch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from random import Random
from typing import Final
from uuid import UUID

from domain import ledger, members, tiers
from domain.audit import Actor
from domain.errors import Refusal
from domain.ledger import Earn, Redeem, Source
from domain.members import ByExternalReference, ById
from domain.storage import fetch_all, transaction
from domain.tiers import (
    CalendarYear,
    GrantLevel,
    LevelDefinition,
    LevelRules,
    Match,
    Qualifying,
    Rolling,
)
from tests.domain.ledger.commands import SHANGHAI
from tests.properties.level_model import Asked, Event, Life, Rules, replayed

LI_NA = Actor(name="staff:li.na", account_id=UUID(int=1), request_id="request-1")
DAY: Final = timedelta(days=1)
BEGINNING: Final = datetime(2026, 12, 20, 4, tzinfo=UTC)
"""The year after the next is a leap year."""


def level(
    code: str,
    rank: int,
    threshold: int,
    *,
    amount_fen: int | None = None,
    purchases: int | None = None,
    match: Match = Match.ALL,
) -> LevelDefinition:
    return LevelDefinition(
        code=code,
        rank=rank,
        name_zh=code,
        name_en=code,
        threshold=threshold,
        amount_fen=amount_fen,
        purchases=purchases,
        match=match,
    )


BY_POINTS: Final = (level("base", 0, 0), level("silver", 1, 1_000), level("gold", 2, 2_500))
BY_MUCH: Final = (
    level("base", 0, 0),
    level("silver", 1, 900, purchases=4, match=Match.ANY),
    level("gold", 2, 1_500, amount_fen=150_000),
    level("jade", 3, 0, amount_fen=300_000, purchases=6),
)
PROGRAMMES: Final = (
    (LevelRules(window=Rolling(12), notice_days=30), BY_POINTS),
    (LevelRules(window=CalendarYear(), grace_days=20, notice_days=45), BY_MUCH),
    (LevelRules(window=Rolling(3), grace_days=45, notice_days=7), BY_MUCH),
    (LevelRules(window=CalendarYear(), notice_days=0), BY_POINTS),
)


class Difference(AssertionError):
    """What is stored is not what the model says."""


@dataclass
class Member:
    """One member, and all that happened to them."""

    id: UUID
    events: list[Event] = field(default_factory=list)
    left: dict[int, tuple[datetime, int, int]] = field(default_factory=dict)
    """Purchases that may be refunded: when, and the points and fen that are left."""
    grants: dict[int, UUID] = field(default_factory=dict)


@dataclass
class Street:
    """Some members of one programme, by draws of `random`; `done` counts what happened."""

    programme: int
    random: Random
    name: str
    count: int
    punctual: bool
    """Whether there is a review each night."""
    done: Counter[str] = field(default_factory=Counter)
    now: datetime = BEGINNING
    people: list[Member] = field(default_factory=list)
    numbers: int = 0

    async def open(self) -> None:
        """Define the programme and let the members join."""
        rules, levels = PROGRAMMES[self.programme]
        await tiers.define_levels(levels, perks=(), now=BEGINNING)
        if await tiers.level_rules() == LevelRules():
            await tiers.set_level_rules(rules, now=BEGINNING)
        names = [f"{self.name}-{n}" for n in range(self.count)]
        joined = await members.register_external_members(
            [ByExternalReference(name) for name in names], now=BEGINNING
        )
        self.people = [Member(joined[name]) for name in names]

    async def step(self) -> None:
        """Some days go by, with or without the nightly review, then something happens to all."""
        to = self.now + timedelta(hours=self.random.choice([3, 30, 300, 1_500, 2_500]))
        if self.punctual or self.random.random() < 0.7:
            await self.nights(to)
        else:
            self.done["no review"] += 1
        self.now = to
        for member in self.people:
            if self.random.random() < 0.7:
                await self.happen(member)
        await self.look()

    async def nights(self, to: datetime) -> None:
        """Review what is due at ten past midnight of each day, and look at whom it was due for.

        Days on which nobody is due are passed over.
        """
        at = self.now
        ours = {member.id for member in self.people}
        while due := [
            one for one in await tiers.due_members(now=to, limit=1_000) if one[1] in ours
        ]:
            first = local(max(due[0][0], at))
            at = ten_past(first if ten_past(first) >= max(due[0][0], at) else first + DAY)
            if at > to:
                break
            ids = [member_id for moment, member_id in due if moment <= at]
            await tiers.review(ids, zone=SHANGHAI, now=at)
            self.done["review"] += len(ids)
            await self.look(at=at, only=ids)

    async def happen(self, member: Member) -> None:
        """One thing, by chance."""
        doing = self.random.choice([self.buy] * 6 + [self.refund] * 3 + [self.redeem, self.grant])
        await doing(member)

    async def buy(self, member: Member) -> None:
        self.numbers += 1
        points = self.random.choice([0, 150, 400, 700, 1_100, 2_600])
        fen = points * 100 + self.random.choice([50, 20_000])
        ago = self.random.choice([0, 0, 0, 2, 40, 300])
        at = self.now - timedelta(days=ago, hours=self.random.random() * 10)
        await transaction(partial(self._bought, member, points=points, fen=fen, at=at))
        member.left[self.numbers] = (at, points, fen)
        self._note(member, "BUY", self.numbers, day=local(at), points=points, fen=fen)

    async def _bought(self, member: Member, *, points: int, fen: int, at: datetime) -> None:
        await ledger.post([self._earn(member, points, at=at)] if points else [], now=self.now)
        item = counted(member, points=points, fen=fen, purchases=1, at=at)
        await tiers.qualify([item], zone=SHANGHAI, now=self.now)

    async def refund(self, member: Member) -> None:
        if not member.left:
            return
        number = self.random.choice(sorted(member.left)[-5:])
        at, points, fen = member.left.pop(number)
        whole = self.random.random() < 0.5
        taken, paid = (points, fen) if whole else (points // 3, fen // 3)
        if not whole:
            member.left[number] = (at, points - taken, fen - paid)
        item = counted(member, points=taken, fen=paid, purchases=int(whole), at=at)
        foreseen = await tiers.preview_disqualify(member.id, [item], zone=SHANGHAI, now=self.now)
        await transaction(partial(tiers.disqualify, [item], zone=SHANGHAI, now=self.now))
        self._note(member, "REFUND", number, day=local(at), points=taken, fen=paid, whole=whole)
        [code] = (await tiers.level_codes([member.id])).values()
        if code != foreseen.after:
            raise Difference(f"foreseen {foreseen.after}, is {code}")

    async def redeem(self, member: Member) -> None:
        self.numbers += 1
        source = Source(kind="reward", reference=str(self.numbers))
        try:
            await ledger.post_one(
                Redeem(member_id=member.id, points=200, source=source), now=self.now
            )
            self.done["REDEEM"] += 1
        except Refusal:
            self.done["refused"] += 1

    async def grant(self, member: Member) -> None:
        if member.grants and self.random.random() < 0.4:
            number, grant_id = member.grants.popitem()
            try:
                await tiers.end_level_grant(grant_id, by=LI_NA, now=self.now)
            except Refusal:
                return None  # It ended by itself.
            return self._note(member, "END", number)
        self.numbers += 1
        _, levels = PROGRAMMES[self.programme]
        code = self.random.choice(levels[1:]).code
        until = self.now + timedelta(days=self.random.choice([1, 20, 300]), hours=5)
        command = GrantLevel(member=ById(member.id), level=code, reason="sorry", until=until)
        member.grants[self.numbers] = (await tiers.grant_level(command, by=LI_NA, now=self.now)).id
        return self._note(member, "GRANT", self.numbers, code=code, until=until)

    async def look(self, *, at: datetime | None = None, only: list[UUID] | None = None) -> None:
        """Compare what is stored with what the model says from scratch; `at` reviews are done."""
        stored = await stored_of([one.id for one in self.people])
        for member in self.people:
            if only is not None and member.id not in only:
                continue
            if at is None and not self._settled(member):
                continue
            life = self.model(member, now=at or self.now)
            self.done["compared"] += 1
            self.done[f"is {life.code}"] += 1
            self.done.update(why for _, _, why, _ in life.moves[-1:])
            self.done["told of a risk"] += len(life.notices)
            is_, risks = stored.get(member.id, (EMPTY, 0))
            if is_ != told(life):
                raise Difference(f"{is_}\n is not \n{told(life)}")
            # Where reviews were left out, nobody is told of what is long over.
            if risks > len(life.notices) or (self.punctual and risks < len(life.notices)):
                raise Difference(f"told of {risks} risks, not {life.notices}")

    def model(self, member: Member, *, now: datetime) -> Life:
        """The member's life from scratch."""
        rules, levels = PROGRAMMES[self.programme]
        months = rules.window.months if isinstance(rules.window, Rolling) else None
        return replayed(
            member.events,
            rules=Rules(
                months=months,
                grace_days=rules.grace_days,
                notice_days=rules.notice_days,
                zone=SHANGHAI,
            ),
            levels=[
                Asked(
                    code=one.code,
                    points=one.threshold or None,
                    fen=one.amount_fen,
                    bought=one.purchases,
                    one_is_enough=one.match is Match.ANY,
                )
                for one in levels
            ],
            now=now,
        )

    def _settled(self, member: Member) -> bool:
        """Whether something happened just now: then all that was due before is settled."""
        return bool(member.events) and member.events[-1].at == self.now

    def _earn(self, member: Member, points: int, *, at: datetime) -> Earn:
        return Earn(
            member_id=member.id,
            points=points,
            source=Source(kind="purchase", reference=str(self.numbers)),
            effective_at=at,
            expires_at=ledger.NEVER,
        )

    def _note(self, member: Member, what: str, number: int, **facts: object) -> None:
        self.done[what] += 1
        member.events.append(Event(what=what, at=self.now, number=number, **facts))  # type: ignore[arg-type]


async def live(
    programme: int, *, seed: str, steps: int, punctual: bool, done: Counter[str]
) -> None:
    """Four members from the first day to the last; Difference where the model says otherwise."""
    street = Street(programme, Random(seed), name=seed, count=4, punctual=punctual, done=done)
    await street.open()
    for _ in range(steps):
        await street.step()


def counted(member: Member, *, points: int, fen: int, purchases: int, at: datetime) -> Qualifying:
    return Qualifying(
        member_id=member.id,
        points=points,
        purchases=purchases,
        amount_fen=fen,
        occurred_at=at,
        source_kind="purchase",
    )


def local(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def ten_past(day: date) -> datetime:
    """Ten past midnight in Shanghai."""
    return datetime.combine(day, time(0, 10), tzinfo=SHANGHAI).astimezone(UTC)


Stored = tuple[str, datetime | None, list[tuple[str, str, str, datetime]]]
EMPTY: Final[Stored] = ("base", None, [])


def told(life: Life) -> Stored:
    """Of the model: the level, until when, and the history."""
    top = [one for one in life.holds if one.code == life.code]
    until = max((one.until for one in top), default=None)
    return life.code, until, life.moves


async def stored_of(member_ids: list[UUID]) -> dict[UUID, tuple[Stored, int]]:
    """The same of what is stored, and how often each was told of a risk."""
    levels = await fetch_all(
        "SELECT member_id, level_code, keep_until FROM member_level"
        " WHERE member_id = ANY($1::uuid[])",
        member_ids,
    )
    moves: dict[UUID, list[tuple[str, str, str, datetime]]] = {}
    for row in await fetch_all(
        "SELECT member_id, from_code, to_code, reason, occurred_at FROM level_change"
        " WHERE member_id = ANY($1::uuid[]) ORDER BY member_id, seq",
        member_ids,
    ):
        moves.setdefault(row["member_id"], []).append(
            (row["from_code"], row["to_code"], row["reason"], row["occurred_at"])
        )
    risks = Counter(
        row["member_id"]
        for row in await fetch_all(
            "SELECT member_id FROM notification WHERE kind = 'LEVEL_AT_RISK'"
            " AND member_id = ANY($1::uuid[])",
            member_ids,
        )
    )
    return {
        row["member_id"]: (
            (
                row["level_code"],
                row["keep_until"] if row["level_code"] != "base" else None,
                moves.get(row["member_id"], []),
            ),
            risks[row["member_id"]],
        )
        for row in levels
    }
