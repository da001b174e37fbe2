"""What the events of this context come to in a member's timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.members import Telling, Told
from domain.outbox import Announced


def _purchase_refunded(event: Announced) -> Told:
    names = ("purchase_id", "amount_fen", "currency", "shop", "points_taken")
    return Told(
        kind="PURCHASE_REFUNDED",
        facts={name: event.facts[name] for name in names},
        occurred_at=datetime.fromisoformat(event.facts["refunded_at"]),
        channel=event.facts["channel"],
    )


TIMELINE: Final[Telling] = {"PurchaseRefunded": _purchase_refunded}
