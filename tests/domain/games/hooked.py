"""Partners with endpoints, and what is to be sent to them, made by the real writers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import games
from domain.access import KeyRing
from domain.games import (
    AddPartnerKey,
    KeyKind,
    Partner,
    SendingRules,
    WebhookClient,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSending,
    WebhookTurn,
    webhook_consumer,
)
from domain.outbox import Event, announce, drain
from domain.paging import PageRequest
from tests.domain.games.arcade import CLERK, open_partner
from tests.graphql.gateway import StandingClock

IN_DEVELOPMENT = SendingRules(is_open=True, timeout_s=0.3, answer_s=0.3)


@dataclass(slots=True)
class Hooked:
    """A partner with an endpoint and two secrets, a sender, and a clock that stands."""

    partner: Partner
    secrets: list[str]
    sending: WebhookSending
    clock: StandingClock
    refs: list[str] = field(default_factory=list)

    @property
    def id(self) -> UUID:
        """The partner's."""
        return self.partner.account_id

    async def tell(self, *refs: str, partner_id: UUID | None = None) -> None:
        """Something to tell for each of these, each in a message of its own."""
        for ref in refs:
            facts = {"partner_id": str(partner_id or self.id), "member_ref": ref}
            event = Event(kind="MemberUnbound", member_id=None, facts=facts)
            await announce([event], now=self.clock.now())
            await self.drained()

    async def drained(self) -> None:
        """What was announced is written down."""
        await drain([webhook_consumer()], clock=self.clock.now)

    async def turn(self) -> WebhookTurn | None:
        """The partner's turn, None when nothing is due."""
        due = await games.due_endpoints(now=self.clock.now())
        mine = [one for one in due if one.partner_id == self.id]
        return await games.take_turn(mine[0], self.sending) if mine else None

    async def endpoint(self) -> WebhookEndpoint:
        """Where the webhooks go."""
        [one] = await games.due_endpoints(now=self.clock.now())
        return one

    async def deliveries(self) -> list[WebhookDelivery]:
        """All of them, the oldest first."""
        page = await games.deliveries_page(self.id, PageRequest(first=1_000))
        return [*reversed(page.items)]

    async def only(self) -> WebhookDelivery:
        """The only one."""
        [one] = await self.deliveries()
        return one


async def open_hooked(
    ring: KeyRing,
    url: str | None,
    *,
    now: datetime,
    code: str = "hooked",
    client: WebhookClient | None = None,
    jitter: Callable[[], float] = lambda: 0.0,
    **terms: Any,
) -> Hooked:
    """The partner, taken in."""
    clock = StandingClock(now)
    partner = await open_partner(code, webhook_url=url, **terms)
    secrets = []
    for _ in range(2):
        added = await games.add_partner_key(
            AddPartnerKey(code=code, kind=KeyKind.HMAC), by=CLERK, now=now
        )
        assert added.secret is not None
        secrets.append(added.secret)
    sending = WebhookSending(
        client=client or WebhookClient(IN_DEVELOPMENT),
        ring=ring,
        clock=clock.now,
        jitter=jitter,
    )
    return Hooked(partner, secrets, sending, clock)
