"""Levels, what qualifies for them, their history and perks."""

from domain.tiers.definitions import PerkDefinition, define_levels
from domain.tiers.history import LevelChange, level_history
from domain.tiers.ladder import LevelDefinition, Progress
from domain.tiers.member_tables import MEMBER_TABLES
from domain.tiers.merging import KeptLevel, merge_levels, part_levels
from domain.tiers.opening import (
    HeldLevel,
    OpeningLevel,
    grant_opening_levels,
    held_levels,
)
from domain.tiers.qualifying import LevelChanged, Qualifying, qualify
from domain.tiers.standing import PerkStanding, Standing, level_codes, read_levels, standing
from domain.tiers.timeline import TIMELINE

__all__ = [
    "MEMBER_TABLES",
    "TIMELINE",
    "HeldLevel",
    "KeptLevel",
    "LevelChange",
    "LevelChanged",
    "LevelDefinition",
    "OpeningLevel",
    "PerkDefinition",
    "PerkStanding",
    "Progress",
    "Qualifying",
    "Standing",
    "define_levels",
    "grant_opening_levels",
    "held_levels",
    "level_codes",
    "level_history",
    "merge_levels",
    "part_levels",
    "qualify",
    "read_levels",
    "standing",
]
