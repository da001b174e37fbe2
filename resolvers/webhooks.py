"""What partners are told of what happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain import games
from domain.access import CallerKind
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.game_partners import PartnerRecord, record_of


async def own_deliveries(context: RequestContext, page: PageRequest) -> Page[games.WebhookDelivery]:
    """A page of what the partner who asks was told."""
    return await games.deliveries_page(context.require_account(CallerKind.PARTNER).id, page)


async def deliveries(partner: games.Partner, page: PageRequest) -> Page[games.WebhookDelivery]:
    """A page of what the partner was told."""
    return await games.deliveries_page(partner.account_id, page)


async def disabled_at(partner: games.Partner) -> datetime | None:
    """Since when nothing is sent to the partner's address."""
    return await games.given_up_at(partner)


async def enable_webhooks(context: RequestContext, code: str) -> PartnerRecord:
    """Send to the partner's address again, by the member of staff who asks."""
    partner = await games.enable_webhooks(code, by=context.actor(), now=context.now)
    return await record_of(partner)


async def replay_webhooks(
    context: RequestContext, code: str, *, since: datetime | None, ids: Sequence[UUID] | None
) -> int:
    """Send deliveries of the partner again, by the member of staff who asks; how many."""
    return await games.replay_webhooks(
        code, since=since, ids=ids, by=context.actor(), now=context.now
    )
