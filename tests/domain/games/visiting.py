"""Random crowds at games: what partners tell of them, and a model of what it comes to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain import games, members, outbox, storage
from domain.games import (
    Funnel,
    GameCampaign,
    GameEvent,
    GameEventKind,
    GameEventsRecorded,
    Partner,
    RecordGameEvents,
    buyers_consumer,
    record_game_events,
)
from domain.members import ByExternalReference, ById
from domain.purchases import RecordPurchases, record_purchases
from tests.domain.games.arcade import NOW, open_campaign, open_partner
from tests.domain.purchases.shop import order

CLOSED_AT = NOW - timedelta(days=2)
"""When the first campaign closed; the other is open still."""

PLAYING = {GameEventKind.PLAY, GameEventKind.FINISH}


@dataclass(slots=True)
class Crowd:
    """Members by name with when they joined and bought, and the visitors that they are.

    Every event has one content, however often and by whichever batch it is told.
    """

    partner: Partner
    campaigns: list[GameCampaign]
    people: dict[str, UUID]
    joined: dict[str, datetime]
    visitors: dict[str, str | None]
    events: dict[str, GameEvent] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    bought: list[tuple[str, datetime]] = field(default_factory=list)

    def happen(self, dice: random.Random) -> GameEvent:
        """Something new that a visitor did, at any time of a campaign."""
        campaign = dice.choice(self.campaigns)
        visitor = dice.choice(sorted(self.visitors))
        last = min(NOW, campaign.closes_at - timedelta(seconds=1))
        event = GameEvent(
            external_id=f"e{len(self.events)}",
            campaign=str(campaign.id),
            campaign_id=campaign.id,
            kind=dice.choice(list(GameEventKind)),
            visitor=visitor,
            at=last - timedelta(hours=dice.randrange(24 * 20)),
            member=self._named(visitor) if dice.random() < 0.5 else None,
        )
        self.events[event.external_id] = event
        return event

    def _named(self, visitor: str) -> ById | None:
        name = self.visitors[visitor]
        return None if name is None else ById(self.people[name])

    async def tell(self, batch_id: str, events: Sequence[GameEvent]) -> GameEventsRecorded:
        """Send a batch."""
        self.sent |= {one.external_id for one in events}
        command = RecordGameEvents(partner=self.partner, batch_id=batch_id, events=events)
        return await record_game_events(command, now=NOW)

    async def buy(self, name: str, placed_at: datetime) -> None:
        """Record an order of the member."""
        number = len(self.bought)
        self.bought.append((name, placed_at))
        placed = order(f"o{number}", name, placed_at=placed_at)
        command = RecordPurchases(source="shop", batch_id=f"p{number}", orders=[placed])
        await record_purchases(command, now=NOW)

    async def deliver(self) -> None:
        """Hand all that was announced to whoever marks buyers, once more."""
        consumer = buyers_consumer()
        for member_id in self.people.values():
            page = await outbox.stream_page(member_id, after=0, limit=1_000)
            await consumer.handle([one for one in page.events if consumer.wants(one)])

    def expected(self, campaign: GameCampaign) -> Funnel:
        """What the campaign came to, from the definitions, by looking at everything."""
        told = [self.events[one] for one in sorted(self.sent)]
        told = [one for one in told if one.campaign_id == campaign.id]
        known = {one.visitor: self.visitors[one.visitor] for one in told if one.member is not None}
        touched: dict[str, datetime] = {}
        for one in told:
            name = known.get(one.visitor)
            if name is not None:
                touched[name] = min(touched.get(name, one.at), one.at)
        until = campaign.closes_at + timedelta(days=30)
        return Funnel(
            visitors=len({one.visitor for one in told}),
            players=len({one.visitor for one in told if one.kind in PLAYING}),
            new_members=sum(
                first <= self.joined[name] < campaign.closes_at for name, first in touched.items()
            ),
            buyers=sum(
                any(who == name and first <= at < until for who, at in self.bought)
                for name, first in touched.items()
            ),
            points=0,
            cost_fen=0,
        )

    async def differs(self) -> list[tuple[Funnel, Funnel]]:
        """Where the funnels are not what the model says: found and expected."""
        found = await games.funnels(self.campaigns, point_cost_fen=games.POINT_COST_FEN)
        pairs = [(found[one.id], self.expected(one)) for one in self.campaigns]
        return [(one, wanted) for one, wanted in pairs if one != wanted]


async def gather_crowd(dice: random.Random) -> Crowd:
    """Eight members with up to three devices each, and some who are nobody."""
    partner = await open_partner("arcade")
    campaigns = [
        await open_campaign(partner.code, "over", closes_at=CLOSED_AT),
        await open_campaign(partner.code, "wheel"),
    ]
    people: dict[str, UUID] = {}
    joined: dict[str, datetime] = {}
    for number in range(8):
        name = f"m{number}"
        joined[name] = NOW - timedelta(hours=dice.randrange(24 * 30))
        found = await members.register_external_members(
            [ByExternalReference(name)], now=joined[name]
        )
        people |= found
        await games.bind_member(partner.account_id, people[name], now=NOW)
    visitors: dict[str, str | None] = {f"v{n}": f"m{n % 8}" for n in range(14)}
    visitors |= {f"w{n}": None for n in range(5)}
    return Crowd(
        partner=partner, campaigns=campaigns, people=people, joined=joined, visitors=visitors
    )


async def rows_of(table: str) -> int:
    """How many rows the table has."""
    row = await storage.fetch_one(f"SELECT COUNT(*) AS rows FROM {table}")
    assert row is not None
    return int(row["rows"])
