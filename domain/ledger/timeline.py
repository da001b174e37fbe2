"""What the events of this context come to in a member's timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.ledger.entries import EntryKind
from domain.members import Telling, Told
from domain.outbox import Announced

_UNTOLD: Final = frozenset(
    {
        # Points that move within the account, or with the account: the member has what they had.
        EntryKind.MATURE,
        EntryKind.HOLD,
        EntryKind.RELEASE,
        EntryKind.MERGE_IN,
        EntryKind.MERGE_OUT,
    }
)


def _points_changed(event: Announced) -> Told | None:
    kind = EntryKind(event.facts["kind"])
    if kind in _UNTOLD:
        return None
    return Told(
        kind=f"POINTS_{kind.value}",
        facts={"seq": event.facts["seq"], "points": event.facts["amount"]},
        occurred_at=datetime.fromisoformat(event.facts["effective_at"]),
    )


TIMELINE: Final[Telling] = {"PointsChanged": _points_changed}
