"""Telling members outside of the inbox: what they allow, and what staff sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain import notifications
from domain.notifications import (
    AcceptSubscribeMessages,
    Delivery,
    SubscribeMessages,
    WantedDeliveries,
)
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def accept_subscribe_messages(
    context: RequestContext, command: AcceptSubscribeMessages
) -> Sequence[SubscribeMessages]:
    """Count what the member allowed; all templates of the mini-program then."""
    templates = context.services.subscribe_templates
    member_id = await notifications.accept_subscribe_messages(
        command, templates=templates, now=context.now
    )
    return await notifications.subscribe_messages(member_id, command.app_id, templates=templates)


async def subscribe_messages(
    context: RequestContext, member_id: UUID, app_id: str
) -> Sequence[SubscribeMessages]:
    """The templates of a mini-program, with what the member has left of each."""
    templates = context.services.subscribe_templates
    return await notifications.subscribe_messages(member_id, app_id, templates=templates)


async def deliveries(
    context: RequestContext, page: PageRequest, wanted: WantedDeliveries
) -> Page[Delivery]:
    """A page of what was sent, or was to be, by whoever of staff asks; the look is recorded."""
    return await notifications.deliveries_page(page, wanted, by=context.actor(), now=context.now)


async def replay(
    context: RequestContext, *, since: datetime | None, ids: Sequence[UUID] | None
) -> int:
    """Send again what was not sent, by whoever of staff asks; how many."""
    return await notifications.replay_deliveries(
        since=since, ids=ids, by=context.actor(), now=context.now
    )
