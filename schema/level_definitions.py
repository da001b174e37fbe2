"""Levels, their perks and their rules as staff reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Final

import strawberry

from domain import tiers
from domain.access import StaffRole
from domain.tiers import Period, PerkKind
from resolvers.level_definitions import LevelRecord
from schema.cost import STATEMENT_COST, Cost
from schema.fields import computed, enum_type, object_type, view
from schema.node import encode_global_id
from schema.policies import staff
from schema.scalars import Fen, Points
from schema.tiers import CriteriaMatch

DEFINES: Final = staff(StaffRole.MARKETING, StaffRole.ADMIN)
"""Who sets the programme's rules."""

PERKS: Final = Cost(own=STATEMENT_COST, items=tiers.PERKS_MAX)
LEVELS: Final = Cost(own=STATEMENT_COST, items=tiers.LEVELS_MAX)


class LevelWindow(Enum):
    """Which days count for a level."""

    ROLLING = "ROLLING"
    """The months that end today."""
    CALENDAR_YEAR = "CALENDAR_YEAR"
    """The year of today, in the programme's time zone."""


enum_type(LevelWindow)


@object_type(policy=DEFINES)
class PerkDefinition:
    """A perk as it is defined."""

    version: int
    """Grows with each change; `changePerk` and `retirePerk` name it."""

    retired_at: datetime | None
    """When it was taken from its level; null while its members have it."""

    @computed(DEFINES)
    def id(self) -> strawberry.ID:
        """The id, for ever."""
        return encode_global_id("Perk", _perk(self).id)

    @computed(DEFINES)
    def level(self) -> str:
        """The code of the level that has it, for ever."""
        return _perk(self).level_code

    @computed(DEFINES)
    def code(self) -> str:
        """The merchant's own code, for ever; one quota counts for one code, at whatever level."""
        return _perk(self).code

    @computed(DEFINES)
    def kind(self) -> PerkKind:
        """What it gives, for ever."""
        return PerkKind(_perk(self).kind)

    @computed(DEFINES)
    def value(self) -> str:
        """How much or what, to be read by `kind`."""
        return _perk(self).value

    @computed(DEFINES)
    def title_zh(self) -> str:
        """What it is called in Chinese."""
        return _perk(self).title_zh

    @computed(DEFINES)
    def title_en(self) -> str:
        """What it is called in English."""
        return _perk(self).title_en

    @computed(DEFINES)
    def description_zh(self) -> str:
        """What it means for the member, in Chinese."""
        return _perk(self).description_zh

    @computed(DEFINES)
    def description_en(self) -> str:
        """What it means for the member, in English."""
        return _perk(self).description_en

    @computed(DEFINES)
    def quota(self) -> int | None:
        """How often it may be used per `period`; null for no limit."""
        return _perk(self).quota

    @computed(DEFINES)
    def period(self) -> Period | None:
        """After what the quota is full again; null for no limit."""
        period = _perk(self).period
        return None if period is None else Period(period)

    @computed(DEFINES)
    def position(self) -> int:
        """Where it stands among the perks of its level."""
        return _perk(self).position


@object_type(policy=DEFINES)
class LevelDefinition:
    """A level as it is defined."""

    version: int
    """Grows with each change of the level itself; `changeLevel` names it."""

    @computed(DEFINES)
    def code(self) -> str:
        """The merchant's own code, for ever."""
        return _level(self).code

    @computed(DEFINES)
    def rank(self) -> int:
        """0 for the base; it grows where a level is put below."""
        return _level(self).rank

    @computed(DEFINES)
    def name_zh(self) -> str:
        """What it is called in Chinese."""
        return _level(self).name_zh

    @computed(DEFINES)
    def name_en(self) -> str:
        """What it is called in English."""
        return _level(self).name_en

    @computed(DEFINES)
    def threshold(self) -> Points:
        """The qualifying points that it asks; 0 where it asks none."""
        return Points(_level(self).threshold)

    @computed(DEFINES)
    def amount(self) -> Fen | None:
        """What must have been paid, net of refunds; null where nothing is asked of it."""
        amount_fen = _level(self).amount_fen
        return None if amount_fen is None else Fen(amount_fen)

    @computed(DEFINES)
    def purchases(self) -> int | None:
        """How many purchases it asks; null where it asks none."""
        return _level(self).purchases

    @computed(DEFINES)
    def match(self) -> CriteriaMatch:
        """Whether all that it asks must be there, or one of it."""
        return CriteriaMatch(_level(self).match.value)

    @computed(DEFINES, cost=PERKS)
    async def perks(self) -> list[PerkDefinition] | None:
        """What the level gives."""
        found: list[PerkDefinition] = view(await _record(self).perks())
        return found


@object_type(policy=DEFINES)
class LevelRules:
    """How long levels are held, and what counts for them."""

    grace_days: int
    """For how many days a level goes on when its review was not passed."""

    notice_days: int
    """How many days before its review a member whose level would fall is told; 0 for never."""

    version: int
    """Grows with each change; `setLevelRules` names it. 0 where nobody has set them."""

    @computed(DEFINES)
    def window(self) -> LevelWindow:
        """Which days count."""
        rolling = isinstance(_rules(self).window, tiers.Rolling)
        return LevelWindow.ROLLING if rolling else LevelWindow.CALENDAR_YEAR

    @computed(DEFINES)
    def months(self) -> int | None:
        """How many months, of a rolling window; null for calendar years."""
        window = _rules(self).window
        return window.months if isinstance(window, tiers.Rolling) else None


def levels_of(records: Sequence[LevelRecord]) -> list[LevelDefinition]:
    """The levels as the schema gives them."""
    found: list[LevelDefinition] = view(records)
    return found


def _record(value: LevelDefinition) -> LevelRecord:
    record: LevelRecord = view(value)
    return record


def _level(value: LevelDefinition) -> tiers.LevelDefinition:
    return _record(value).definition


def _perk(value: PerkDefinition) -> tiers.PerkDefinition:
    perk: tiers.DefinedPerk = view(value)
    return perk.definition


def _rules(value: LevelRules) -> tiers.LevelRules:
    rules: tiers.LevelRules = view(value)
    return rules
