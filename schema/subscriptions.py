"""What can be followed: kinds of events of the member's stream, each with the type that shows it.

A further one is its type and a resolver of one line, and a field of `Subscription`:

    @object_type(policy=OWNER)
    class GameWon(StreamEvent):
        \"\"\"The member won something.\"\"\"
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

import strawberry

from domain.outbox import Announced
from resolvers import ledger as ledger_resolvers
from resolvers import notifications as notification_resolvers
from resolvers import subscriptions as resolvers
from resolvers import tickets as ticket_resolvers
from schema.changes import EVENTS, position
from schema.cost import COST, READS
from schema.faults import CodedError, FaultCode
from schema.fields import Info, argument, computed, object_type, view
from schema.ledger import LedgerEntry
from schema.node import decode_uuid
from schema.notifications import Notification
from schema.policies import OWNER, POLICY, Policy
from schema.scalars import Points
from schema.tickets import Ticket

Since: TypeAlias = Annotated[
    str | None,
    argument(
        "The cursor of an earlier event, or of `changes`: what followed it comes first. "
        "Only what is yet to happen without one."
    ),
]


@object_type(policy=OWNER)
class StreamEvent:
    """An event of a member's stream, as it is read from the domain's value."""

    @computed(OWNER)
    def cursor(self) -> str:
        """Where this event stands; give it as `since` to go on after it."""
        event: Announced = view(self)
        return EVENTS.cursor((event.seq,))

    @computed(OWNER)
    def version(self) -> str:
        """The member's version as of this event."""
        event: Announced = view(self)
        return str(event.seq)


@object_type(policy=OWNER)
class PointsChanged(StreamEvent):
    """An entry was written into the member's journal of points."""

    @computed(OWNER)
    def available(self) -> Points:
        """What was available right after the entry."""
        event: Announced = view(self)
        return Points(event.facts["available"])

    @computed(OWNER, cost=READS)
    async def entry(self, info: Info) -> LedgerEntry | None:
        """The entry."""
        event: Announced = view(self)
        key = (event.member_id, event.facts["seq"])
        entry: LedgerEntry | None = view(await ledger_resolvers.entry_node(info.context, key))
        return entry


async def points_changed(info: Info, since: Since = None) -> AsyncGenerator[PointsChanged, None]:
    """Every entry of the member's journal of points, once and in the order of their writing."""
    events: AsyncGenerator[PointsChanged, None] = view(
        await resolvers.follow(info.context, kind="PointsChanged", after=position(since))
    )
    return events


@object_type(policy=OWNER)
class NotificationReceived(StreamEvent):
    """The member was told something."""

    @computed(OWNER, cost=READS)
    async def notification(self, info: Info) -> Notification | None:
        """What it is, as it is now."""
        event: Announced = view(self)
        key = (event.member_id, UUID(event.facts["notification_id"]))
        found = await notification_resolvers.notification_node(info.context, key)
        notification: Notification | None = view(found)
        return notification


async def notification_received(
    info: Info, since: Since = None
) -> AsyncGenerator[NotificationReceived, None]:
    """All that the member is told, once and in the order of the telling."""
    events: AsyncGenerator[NotificationReceived, None] = view(
        await resolvers.follow(info.context, kind="Notified", after=position(since))
    )
    return events


@object_type(policy=OWNER)
class TicketUpdated(StreamEvent):
    """Something happened to a ticket of the member's."""

    @computed(OWNER, cost=READS)
    async def ticket(self, info: Info) -> Ticket | None:
        """The ticket, as it is now."""
        event: Announced = view(self)
        found = await ticket_resolvers.ticket_node(info.context, UUID(event.facts["ticket"]))
        ticket: Ticket | None = view(found)
        return ticket


NO_TICKET: Final = "`ticketId` must be that of a ticket of the member's."


async def ticket_updated(
    info: Info,
    ticket_id: Annotated[strawberry.ID, argument("Which ticket, of the member who asks.")],
    since: Since = None,
) -> AsyncGenerator[TicketUpdated, None]:
    """All that happens to a ticket of the member's, once and in its order.

    A ticket that is not theirs is refused, like one that nobody has.
    """
    decoded = decode_uuid(ticket_id, "Ticket")
    if await ticket_resolvers.ticket_node(info.context, decoded) is None:
        raise CodedError(FaultCode.BAD_USER_INPUT, NO_TICKET, argument="ticketId")
    events = await resolvers.follow(info.context, kind="TicketUpdated", after=position(since))
    updates: AsyncGenerator[TicketUpdated, None] = view(
        ticket_resolvers.follow_ticket(events, decoded)
    )
    return updates


def subscription(policy: Policy, resolver: Any) -> Any:
    """Declare a field of the subscription root."""
    return strawberry.subscription(resolver=resolver, metadata={POLICY: policy, COST: READS})


@object_type()
class Subscription:
    """What can be followed, over WebSocket or server-sent events."""

    points_changed = subscription(OWNER, points_changed)
    notification_received = subscription(OWNER, notification_received)
    ticket_updated = subscription(OWNER, ticket_updated)
