"""What the events of this context come to in a member's timeline."""

from __future__ import annotations

from typing import Final

from domain.members import Telling, Told
from domain.outbox import Announced


def _level_changed(event: Announced) -> Told:
    return Told(kind="LEVEL_CHANGED", facts={"from": event.facts["from"], "to": event.facts["to"]})


def _perk_used(event: Announced) -> Told:
    return Told(kind="PERK_USED", facts=_perk(event))


def _perk_use_cancelled(event: Announced) -> Told:
    return Told(kind="PERK_USE_CANCELLED", facts=_perk(event))


def _perk(event: Announced) -> dict[str, object]:
    return {name: event.facts[name] for name in ("use", "perk", "title_zh", "title_en")}


TIMELINE: Final[Telling] = {
    "LevelChanged": _level_changed,
    "PerkUsed": _perk_used,
    "PerkUseCancelled": _perk_use_cancelled,
}
