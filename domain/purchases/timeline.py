"""What the events of this context come to in a member's timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.members import Telling, Told
from domain.outbox import Announced


def _purchase_recorded(event: Announced) -> Told:
    return Told(
        kind="PURCHASE",
        facts={name: event.facts[name] for name in ("purchase_id", "paid_fen", "currency", "shop")},
        occurred_at=datetime.fromisoformat(event.facts["placed_at"]),
        channel=event.facts["channel"],
    )


def _order_notice_recorded(event: Announced) -> Told:
    return Told(
        kind=f"ORDER_{event.facts['kind']}",
        facts={name: event.facts[name] for name in ("purchase_id", "order")},
        occurred_at=datetime.fromisoformat(event.facts["at"]),
    )


TIMELINE: Final[Telling] = {
    "PurchaseRecorded": _purchase_recorded,
    "OrderNoticeRecorded": _order_notice_recorded,
}
