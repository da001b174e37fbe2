"""What staff sees of the tickets of members: the queue, one ticket, topics and causes."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.notifications import WantedDeliveries
from resolvers import deliveries as delivering
from resolvers import held_messages as holding
from resolvers import tickets as resolvers
from schema.audits import audited
from schema.connections import After, Connection, First
from schema.deliveries import DELIVERIES, NotificationDelivery, WantedDeliveriesInput
from schema.feedback_definitions import (
    DEFINED,
    FeedbackCauseDefinition,
    FeedbackTopicDefinition,
)
from schema.fields import Info, argument, computed, object_type, view
from schema.held_messages import HELD, HeldMessage
from schema.level_definitions import DEFINES
from schema.node import decode_uuid
from schema.staff_tickets import TICKET_QUEUE, StaffTicket, Statuses, TicketFilter, queue_of
from schema.ticket_parts import SERVES, FeedbackCause


@object_type(policy=SERVES)
class ServiceDesk:
    """What those see who serve members; a part of `Staff`."""

    @audited(SERVES)
    async def tickets(
        self,
        info: Info,
        status: Statuses = None,
        only: Annotated[TicketFilter | None, argument("Only such.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[StaffTicket] | None:
        """The queue: the most urgent first, of them what is due first; each look is recorded."""
        request = TICKET_QUEUE.request(first=first, after=after)
        page = await resolvers.queue(info.context, request, of=queue_of(status, only))
        return TICKET_QUEUE.connection(page, request)

    @audited(SERVES)
    async def ticket(
        self, info: Info, id: Annotated[strawberry.ID, argument("Which.")]
    ) -> StaffTicket | None:
        """A ticket; null where there is none. Each look is in the audit log."""
        found = await resolvers.looked_up(info.context, decode_uuid(id, "Ticket"))
        ticket: StaffTicket | None = view(found)
        return ticket

    @audited(SERVES)
    async def held_messages(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[HeldMessage] | None:
        """Texts that a check holds, or that wait for it, oldest first; each look is recorded."""
        request = HELD.request(first=first, after=after)
        return HELD.connection(await holding.held_messages(info.context, request), request)

    @computed(SERVES, cost=DEFINED)
    async def feedback_causes(self) -> list[FeedbackCause] | None:
        """What something may come from, for `resolveTicket`, by code."""
        found: list[FeedbackCause] = view(await resolvers.causes())
        return found

    @computed(DEFINES, cost=DEFINED)
    async def feedback_topic_definitions(self) -> list[FeedbackTopicDefinition] | None:
        """The topics of feedback as they are defined, by code."""
        found: list[FeedbackTopicDefinition] = view(await resolvers.all_topics())
        return found

    @computed(DEFINES, cost=DEFINED)
    async def feedback_cause_definitions(self) -> list[FeedbackCauseDefinition] | None:
        """The causes of what goes wrong as they are defined, by code."""
        found: list[FeedbackCauseDefinition] = view(await resolvers.all_causes())
        return found

    @audited(SERVES)
    async def notification_deliveries(
        self,
        info: Info,
        of: Annotated[WantedDeliveriesInput | None, argument("Only those.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[NotificationDelivery] | None:
        """What members were sent outside of their inboxes, newest first; each look is recorded."""
        request = DELIVERIES.request(first=first, after=after)
        wanted = WantedDeliveries() if of is None else of.value()
        return DELIVERIES.connection(
            await delivering.deliveries(info.context, request, wanted), request
        )
