"""Levels, and where a member stands between them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from domain import tiers
from schema.connections import KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, field, object_type, view
from schema.language import spoken
from schema.perks import READERS, Perk
from schema.policies import PUBLIC
from schema.scalars import Points


class CriterionKind(Enum):
    """By what a level is reached."""

    QUALIFYING_POINTS = "QUALIFYING_POINTS"
    """Points earned by purchases within the rolling window of twelve months."""


enum_type(CriterionKind)


class LevelChangeReason(Enum):
    """Why a level changed."""

    QUALIFIED = "QUALIFIED"
    """Enough was earned within the window."""
    IMPORTED = "IMPORTED"
    """It came along from another system."""
    MERGED = "MERGED"
    """Two records of one person became one."""


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
    """The qualifying points that reach it."""

    @computed(PUBLIC)
    def name(self, info: Info) -> str:
        """What people call it."""
        return spoken(self, "name", info)


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
    """Where the member stands."""

    required: Points
    """What the next level asks for."""


@object_type(policy=READERS)
class LevelProgress:
    """Where a member stands between two levels."""

    qualifying_points: Points
    """Points that count, earned in the twelve months that end today."""

    next_level: Level | None
    """The next level; null at the top."""

    points_to_next: Points | None
    """What is missing to it; null at the top."""

    points_to_keep: Points
    """What is still to be earned before `windowEndsAt` to keep the present level."""

    window_ends_at: datetime | None
    """When the present level is reviewed; null at the base level, which cannot be lost."""

    criteria: list[LevelCriterion] = field(READERS, cost=Cost(items=1))
    """The conditions of the next level; empty at the top."""


@object_type(policy=READERS)
class Tier:
    """A member's level, how it was reached, and what it gives."""

    level: Level
    """The present level."""

    since: datetime
    """Since when: the moment of joining, at the base level."""

    keep_until: datetime | None
    """Until when it holds whatever happens; null at the base level, which cannot be lost."""

    progress: LevelProgress
    """What is missing to the next level, and to keep this one."""

    perks: list[Perk] = field(READERS, cost=Cost(items=20))
    """What the level gives."""


def tier_of(standing: tiers.Standing, *, joined_at: datetime) -> Tier:
    """The standing as the schema gives it."""
    progress = standing.progress
    criteria = []
    if progress.next_level is not None:
        criteria.append(
            LevelCriterion(
                kind=CriterionKind.QUALIFYING_POINTS,
                current=Points(progress.qualifying_points),
                required=Points(progress.next_level.threshold),
            )
        )
    return Tier(
        level=view(standing.level),
        since=standing.since or joined_at,
        keep_until=standing.keep_until,
        progress=LevelProgress(
            qualifying_points=Points(progress.qualifying_points),
            next_level=view(progress.next_level),
            points_to_next=view(progress.points_to_next),
            points_to_keep=Points(progress.points_to_keep),
            window_ends_at=standing.keep_until,
            criteria=criteria,
        ),
        perks=view(standing.perks),
    )
