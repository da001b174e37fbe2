"""Levels, progress and perks."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from domain import tiers
from schema.connections import KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, field, object_type, view
from schema.language import spoken
from schema.node import encode_global_id
from schema.policies import OWNER, PUBLIC, SEES_MEMBERS
from schema.scalars import Points

READERS = OWNER | SEES_MEMBERS


class PerkKind(Enum):
    """What a perk gives; its `value` is read accordingly."""

    DISCOUNT = "DISCOUNT"
    """A discount: `value` is what remains to pay, as a share (`0.95`)."""
    EARNING_MULTIPLIER = "EARNING_MULTIPLIER"
    """More points per yuan: `value` is the factor (`1.25`)."""
    FREE_SHIPPING = "FREE_SHIPPING"
    """Free shipping: `value` is the least order in yuan (`0` for any)."""
    FASTER_SHIPPING = "FASTER_SHIPPING"
    """Faster shipping: `value` is within how many hours."""
    SERVICE_LEVEL = "SERVICE_LEVEL"
    """Priority with service: `value` names the level."""
    DEDICATED_AGENT = "DEDICATED_AGENT"
    """A person of one's own to talk to."""
    BIRTHDAY_GIFT = "BIRTHDAY_GIFT"
    """A gift on the birthday: `value` is its code."""
    EVENT_ACCESS = "EVENT_ACCESS"
    """Invitations to events: `value` names the kind."""


enum_type(PerkKind)


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
class Perk:
    """What the member's level gives."""

    code: str
    """The merchant's own code, stable."""

    value: str
    """How much or what, to be read by `kind`."""

    quota: int | None
    """How often it may be used per period; null for no limit."""

    remaining: int | None
    """How often it may still be used; null for no limit."""

    resets_at: datetime | None
    """When `remaining` is full again."""

    @computed(READERS)
    def id(self) -> strawberry.ID:
        """The id, opaque."""
        perk: tiers.PerkStanding = view(self)
        return encode_global_id("Perk", perk.id)

    @computed(READERS)
    def kind(self) -> PerkKind:
        """What it gives."""
        perk: tiers.PerkStanding = view(self)
        return PerkKind(perk.kind)

    @computed(READERS)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(self, "title", info)

    @computed(READERS)
    def description(self, info: Info) -> str:
        """What it means for the member."""
        return spoken(self, "description", info)


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
