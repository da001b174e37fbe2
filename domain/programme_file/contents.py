"""What a programme's file holds, as values, and which place each came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.feedback import Cause, ServiceCalendar, ServiceLevels, Topic
from domain.notifications import DefinedText
from domain.program import Programme
from domain.programme_file.fields import Place
from domain.purchases import EarningRule
from domain.rewards import RewardDefinition
from domain.tiers import LevelDefinition, LevelRules, PerkDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledPerk:
    """A perk, which may be there to say that it was retired."""

    definition: PerkDefinition
    is_retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledLevel:
    """A level with its perks, those that were retired among them."""

    definition: LevelDefinition
    perks: Sequence[FiledPerk]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWarning:
    """What a file says without the effect that it may be meant to have; its line is from 1."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything that a file may say; None and empty for what it does not.

    `places` are those of the things that the file names, by their paths (`levels[2].perks[0]`) and
    those of their fields.
    """

    programme: Programme | None = None
    level_rules: LevelRules | None = None
    levels: Sequence[FiledLevel] = ()
    earning_rules: Sequence[EarningRule] = ()
    rewards: Sequence[RewardDefinition] = ()
    feedback_topics: Sequence[Topic] = ()
    feedback_causes: Sequence[Cause] = ()
    service_calendar: ServiceCalendar | None = None
    service_levels: ServiceLevels | None = None
    notification_texts: Sequence[DefinedText] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
