"""What the events of this context come to in a member's timeline."""

from __future__ import annotations

from typing import Final

from domain.members import Telling, Told
from domain.outbox import Announced


def _level_changed(event: Announced) -> Told:
    return Told(kind="LEVEL_CHANGED", facts={"from": event.facts["from"], "to": event.facts["to"]})


TIMELINE: Final[Telling] = {"LevelChanged": _level_changed}
