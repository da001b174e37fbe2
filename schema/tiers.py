"""Levels, and where a member stands between them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from domain import tiers
from resolvers.records import MemberRecord
from schema.connections import KeysetList
from schema.cost import READS, STATEMENT_COST, Cost
from schema.fields import Info, computed, enum_type, field, object_type, view
from schema.language import spoken
from schema.ledger import ExpiringPoints
from schema.perks import READERS, Perk
from schema.policies import PUBLIC
from schema.scalars import Fen, Points


class CriterionKind(Enum):
    """By what a level is reached: what purchases within the programme's window came to."""

    QUALIFYING_POINTS = "QUALIFYING_POINTS"
    """Points earned by purchases, in points."""
    PURCHASE_AMOUNT = "PURCHASE_AMOUNT"
    """What was paid for them, net of refunds, in fen."""
    PURCHASES = "PURCHASES"
    """How many there were; one that was wholly refunded is none."""


enum_type(CriterionKind)


class CriteriaMatch(Enum):
    """How many of its criteria a level asks for."""

    ALL = "ALL"
    """All of them."""
    ANY = "ANY"
    """One of them."""


enum_type(CriteriaMatch)


class LevelChangeReason(Enum):
    """Why a level changed."""

    QUALIFIED = "QUALIFIED"
    """Enough was earned within the window."""
    IMPORTED = "IMPORTED"
    """It came along from another system."""
    MERGED = "MERGED"
    """Two records of one person became one."""
    PARTED = "PARTED"
    """Two records that had become one were parted again."""
    LOWERED = "LOWERED"
    """At the end of its term too little had been earned to keep it."""
    REFUNDED = "REFUNDED"
    """Purchases that it rested on were refunded."""
    GRANTED = "GRANTED"
    """Staff granted it."""
    GRANT_ENDED = "GRANT_ENDED"
    """What staff had granted ended."""
    REDEFINED = "REDEFINED"
    """The programme changed its levels or their rules."""


enum_type(LevelChangeReason)

HISTORY = KeysetList("tier-history", (int,))


@object_type(policy=PUBLIC)
class Level:
    """A level of the programme."""

    code: str
    """The merchant's own code, stable."""

    rank: int
    """0 for the level at which everyone begins, growing upwards."""

    threshold: Points
    """The qualifying points that it asks for within the programme's window; 0 where none."""

    purchases: int | None
    """How many purchases it asks for; null where it asks none."""

    @computed(PUBLIC)
    def name(self, info: Info) -> str:
        """What people call it."""
        return spoken(self, "name", info)

    @computed(PUBLIC)
    def match(self) -> CriteriaMatch:
        """Whether all of what it asks for must be there, or one of it."""
        level: tiers.LevelDefinition = view(self)
        return CriteriaMatch(level.match.value)

    @computed(PUBLIC)
    def amount(self) -> Fen | None:
        """What must have been paid within the window, net of refunds; null where not asked."""
        level: tiers.LevelDefinition = view(self)
        return None if level.amount_fen is None else Fen(level.amount_fen)


@object_type(policy=READERS)
class LevelChange:
    """One change of a member's level."""

    occurred_at: datetime
    """When it changed."""

    @computed(READERS, name="from")
    def from_(self) -> Level | None:
        """The level before; null where there was none."""
        change: tiers.LevelChange = view(self)
        level: Level | None = view(change.from_level)
        return level

    @computed(READERS)
    def to(self) -> Level:
        """The level since then."""
        change: tiers.LevelChange = view(self)
        level: Level = view(change.to_level)
        return level

    @computed(READERS)
    def reason(self) -> LevelChangeReason:
        """Why it changed."""
        change: tiers.LevelChange = view(self)
        return LevelChangeReason(change.reason)


@object_type(policy=READERS)
class LevelCriterion:
    """One condition of the next level."""

    kind: CriterionKind
    """What is counted."""

    current: Points
    """Where the member stands, in the unit of its kind."""

    required: Points
    """What the level asks for, in the same unit."""


@object_type(policy=READERS)
class LevelProgress:
    """Where a member stands between two levels."""

    qualifying_points: Points
    """Points that count, earned in the programme's window: by default the twelve months that end
    today."""

    next_level: Level | None
    """The next level; null at the top."""

    points_to_next: Points | None
    """What is missing to it; null at the top."""

    points_to_keep: Points
    """What is still to be earned before `windowEndsAt` to keep the present level: to earn it, where
    it was granted alone."""

    window_ends_at: datetime | None
    """When the present level is reviewed; null at the base level, which cannot be lost."""

    criteria: list[LevelCriterion] = field(READERS, cost=Cost(items=3))
    """The conditions of the next level; empty at the top."""


@object_type(policy=READERS)
class TierForecast:
    """What time will bring to the member's level if nothing more is earned."""

    keeps_level: bool
    """Whether what has been earned keeps the present level at its review; false of a level that was
    granted, until it is earned."""

    level_at_risk_at: datetime | None
    """When the present level would fall, grace included; null where it is kept."""

    points_to_keep: Points
    """What is still to be earned to keep it; of a level that was granted alone, to earn it."""

    points_to_next: Points | None
    """What is missing to the next level; null at the top."""

    criteria_to_keep: list[LevelCriterion] = field(READERS, cost=Cost(items=3))
    """The conditions of keeping it: what counts for its review so far, and what it asks; of a level
    that was granted alone, what counts in the window."""

    record: strawberry.Private[MemberRecord]

    @computed(READERS, cost=READS, versioned=True)
    async def expires_first(self) -> ExpiringPoints | None:
        """The points that expire before all others if they are not spent, however far off."""
        expiring: ExpiringPoints | None = view(await self.record.expires_first())
        return expiring


@object_type(policy=READERS)
class Tier:
    """A member's level, how it was reached, and what it gives."""

    level: Level
    """The present level."""

    since: datetime
    """Since when: the moment of joining, at the base level."""

    keep_until: datetime | None
    """Until when it holds whatever happens, but for a refund of what it rests on; null at the base
    level, which cannot be lost."""

    progress: LevelProgress
    """What is missing to the next level, and to keep this one."""

    perks: list[Perk] = field(READERS, cost=Cost(items=20))
    """What the level gives."""

    record: strawberry.Private[MemberRecord]
    keep: strawberry.Private[list[LevelCriterion]]

    @computed(READERS, cost=Cost(own=3 * STATEMENT_COST), versioned=True)
    async def forecast(self) -> TierForecast:
        """What time will bring to it."""
        found = await self.record.forecast()
        return TierForecast(
            keeps_level=found.keeps_level,
            level_at_risk_at=found.level_at_risk_at,
            points_to_keep=self.progress.points_to_keep,
            points_to_next=self.progress.points_to_next,
            criteria_to_keep=self.keep,
            record=self.record,
        )


async def tier_of(record: MemberRecord) -> Tier | None:
    """The member's level as the schema gives it; None while the programme has no levels."""
    standing = await record.standing()
    if standing is None:
        return None
    progress, following = standing.progress, standing.progress.next_level
    return Tier(
        level=view(standing.level),
        since=standing.since or record.member.joined_at,
        keep_until=standing.keep_until,
        progress=LevelProgress(
            qualifying_points=Points(progress.qualifying_points),
            next_level=view(following),
            points_to_next=view(progress.points_to_next),
            points_to_keep=Points(progress.points_to_keep),
            window_ends_at=standing.keep_until,
            criteria=_criteria(following, progress.window) if following else [],
        ),
        perks=view(standing.perks),
        record=record,
        keep=_criteria(standing.level, progress.keep),
    )


def _criteria(level: tiers.LevelDefinition, total: tiers.Total) -> list[LevelCriterion]:
    """What a level asks, beside what there is of it."""
    current = {
        CriterionKind.QUALIFYING_POINTS: total.points,
        CriterionKind.PURCHASE_AMOUNT: total.amount_fen,
        CriterionKind.PURCHASES: total.purchases,
    }
    return [
        LevelCriterion(kind=kind, current=Points(current[kind]), required=Points(required))
        for kind, required in _asked(level).items()
    ]


def _asked(level: tiers.LevelDefinition) -> dict[CriterionKind, int]:
    """How much the level asks of each kind that it asks for."""
    asked = {
        CriterionKind.QUALIFYING_POINTS: level.threshold or None,
        CriterionKind.PURCHASE_AMOUNT: level.amount_fen,
        CriterionKind.PURCHASES: level.purchases,
    }
    return {kind: required for kind, required in asked.items() if required is not None}
