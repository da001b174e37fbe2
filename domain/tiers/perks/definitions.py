"""What a merchant says of a perk, and what may be said of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain.errors import Flaws, InvalidInput
from domain.texts import clean_code, clean_text
from domain.tiers.perks.quotas import Period
from domain.tiers.perks.values import HOLD_BY_THEMSELVES, PerkKind, PerkValue, parse_value

CODE_CHARACTERS_MAX: Final = 32
TITLE_CHARACTERS_MAX: Final = 100
DESCRIPTION_CHARACTERS_MAX: Final = 2_000
POSITION_MAX: Final = 1_000
QUOTA_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkDefinition:
    """What a level gives: `quota` uses per `period` (DAY, MONTH, YEAR, BIRTHDAY), or unlimited."""

    id: UUID
    level_code: str
    code: str
    position: int
    kind: str
    value: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    quota: int | None = None
    period: str | None = None


def check_perk(perk: PerkDefinition) -> PerkValue:
    """What the perk gives; refused with InvalidInput, which names the field and its rule."""
    _flaws(perk).refuse_first()
    return parse_value(PerkKind(perk.kind), perk.value)


def perk_flaws(perk: PerkDefinition) -> Sequence[InvalidInput]:
    """Every rule that the perk breaks by itself, at most one for each field."""
    return _flaws(perk).found


def check_kind(perk: PerkDefinition, other: PerkDefinition) -> None:
    """Refuse InvalidInput where two perks of one code are not of one kind.

    Members have one quota for a code, at whatever level: it can only be for one thing.
    """
    assert perk.code == other.code, "perks of other codes have nothing to do with each other"
    if perk.kind != other.kind:
        whose = f"perk {other.code} of level {other.level_code}"
        rule = f"{other.kind}, as {whose}: perks of one code share their quota"
        raise InvalidInput(field=("kind",), rule=rule)


def _flaws(perk: PerkDefinition) -> Flaws:
    flaws = Flaws()
    with flaws.noted():
        clean_code(perk.code, field=("code",), characters_max=CODE_CHARACTERS_MAX)
    if not 0 <= perk.position <= POSITION_MAX:
        flaws.found.append(InvalidInput(field=("position",), rule=f"0 to {POSITION_MAX}"))
    for name in ("title_zh", "title_en"):
        with flaws.noted():
            clean_text(
                getattr(perk, name),
                field=(name,),
                characters_min=1,
                characters_max=TITLE_CHARACTERS_MAX,
            )
    for name in ("description_zh", "description_en"):
        with flaws.noted():
            clean_text(
                getattr(perk, name),
                field=(name,),
                characters_max=DESCRIPTION_CHARACTERS_MAX,
                lines=True,
            )
    if perk.kind not in set(PerkKind):
        rule = f"one of {', '.join(PerkKind)}"
        flaws.found.append(InvalidInput(field=("kind",), rule=rule))
        return flaws
    kind = PerkKind(perk.kind)
    with flaws.noted():
        _check_quota(perk, kind)
    with flaws.noted():
        parse_value(kind, perk.value)
    return flaws


def _check_quota(perk: PerkDefinition, kind: PerkKind) -> None:
    if perk.period is not None and perk.period not in set(Period):
        raise InvalidInput(field=("period",), rule=f"one of {', '.join(Period)}")
    if (perk.quota is None) != (perk.period is None):
        raise InvalidInput(field=("quota",), rule="a quota and its period, or neither")
    if perk.quota is None:
        return
    if not 1 <= perk.quota <= QUOTA_MAX:
        raise InvalidInput(field=("quota",), rule=f"1 to {QUOTA_MAX}")
    if kind in HOLD_BY_THEMSELVES:
        raise InvalidInput(field=("quota",), rule=f"none for {kind}, which holds by itself")
