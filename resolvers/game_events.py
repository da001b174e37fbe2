"""What happens in games, and the funnels that it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain import games
from domain.errors import PartnerUnknown
from domain.games import Funnel, GameCampaign, GameEvent, GameEventsRecorded, RecordGameEvents
from domain.paging import Page
from resolvers.context import RequestContext
from resolvers.games import asking_partner


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign of a page, whose funnels are read together, once one is asked for."""

    campaign: GameCampaign
    page: Sequence[GameCampaign]

    async def funnel(self, context: RequestContext) -> Funnel:
        """What the campaign came to so far."""
        cost = context.services.point_cost_fen
        name = f"funnels:{':'.join(str(one.id) for one in self.page)}"
        found = await context.once.read(name, lambda: games.funnels(self.page, point_cost_fen=cost))
        return found[self.campaign.id]


def records_of(page: Page[GameCampaign]) -> Page[CampaignRecord]:
    """The same page, of records."""
    items = [CampaignRecord(one, page.items) for one in page.items]
    return Page(items=items, keys=page.keys, has_next=page.has_next)


async def record_events(
    context: RequestContext, *, batch_id: str, events: Sequence[GameEvent]
) -> GameEventsRecorded:
    """Keep a batch of events of the partner who asks."""
    partner = await asking_partner(context)
    if partner is None:
        raise PartnerUnknown
    command = RecordGameEvents(partner=partner, batch_id=batch_id, events=events)
    return await games.record_game_events(command, now=context.now)
