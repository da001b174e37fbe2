"""Events of other contexts that become notifications, each once.

Contexts of higher rungs announce what happened and know nothing of inboxes. What they announce is
heard here, and becomes a notification of whoever has the record now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from domain.members import lock_members
from domain.notifications.telling import Notification, notify
from domain.outbox import Announced, Consumer, consume_once
from domain.storage import transaction

_NAME: Final = "notifications"

Heard: TypeAlias = tuple[str, Mapping[str, Any]]
"""The kind of a notification, and the facts of its text."""

Hearing: TypeAlias = Mapping[str, Callable[[Announced], Heard | None]]
"""What each kind of event comes to; None where one of the kind tells the member nothing."""


def _told_as(kind: str, *facts: str) -> Callable[[Announced], Heard]:
    """The kind, with these facts of the event."""

    def hear(event: Announced) -> Heard:
        return kind, {name: event.facts[name] for name in facts if name in event.facts}

    return hear


def _order_notice(event: Announced) -> Heard | None:
    if not event.facts["is_newest"]:
        return None
    names = ("order", "carrier", "number", "purchase_id", "at")
    facts = {name: event.facts[name] for name in names if event.facts.get(name) is not None}
    return f"ORDER_{event.facts['kind']}", facts


HEARD: Final[Hearing] = {
    "RedemptionShipped": _told_as("REDEMPTION_SHIPPED", "redemption", "title_zh", "title_en"),
    "RedemptionDelivered": _told_as("REDEMPTION_DELIVERED", "redemption", "title_zh", "title_en"),
    "OrderNoticeRecorded": _order_notice,
}
"""What each kind of event comes to. Refunds, levels and tickets are told by their contexts."""


def notification_consumer() -> Consumer:
    """Whoever tells members what events say; an event that is handed over again tells nothing."""

    async def tell(events: Sequence[Announced]) -> None:
        await transaction(lambda: _tell(events))

    return Consumer(_NAME, frozenset(HEARD), tell)


async def _tell(events: Sequence[Announced]) -> None:
    # Before the marks are written, as whoever erases or joins records has them.
    leads = await lock_members({event.member_id for event in events})

    async def work(new: Sequence[Announced]) -> None:
        told: dict[datetime, list[Notification]] = {}
        for event in new:
            heard = HEARD[event.kind](event)
            # Nobody is told of what happened to somebody who was erased meanwhile.
            if heard is not None and event.member_id in leads:
                kind, facts = heard
                one = Notification(member_id=leads[event.member_id], kind=kind, facts=facts)
                told.setdefault(event.announced_at, []).append(one)
        for at, notifications in told.items():
            await notify(notifications, now=at)

    await consume_once(_NAME, events, work)
