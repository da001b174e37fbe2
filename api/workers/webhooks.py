"""Sending webhooks in the background: each partner's turn is a task of its own."""

from __future__ import annotations

from functools import partial

from api.observability.metrics import WEBHOOKS
from api.opening import open_key_ring
from api.settings import Settings
from api.workers.turns import Due, Turns
from domain import games
from domain.clock import Clock
from domain.games import SendingRules, WebhookClient, WebhookEndpoint, WebhookSending


class WebhookSender:
    """Sends what is due to partners in tasks of this process; see `Turns`."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._sending: WebhookSending | None = None
        self._turns = Turns(
            self._due,
            name="webhooks_failed",
            poll_s=settings.work.poll_s,
            at_once_max=settings.work.webhook_partners_max,
        )
        self.stop, self.run = self._turns.stop, self._turns.run

    async def _due(self) -> Due:
        endpoints = await games.due_endpoints(now=self._clock.now())
        return {one.partner_id: partial(self._take_turn, one) for one in endpoints}

    async def _take_turn(self, endpoint: WebhookEndpoint) -> None:
        turn = await games.take_turn(
            endpoint, self._opened(), stopping=lambda: self._turns.is_stopping
        )
        WEBHOOKS.labels("taken").inc(turn.delivered)
        WEBHOOKS.labels("not_taken").inc(turn.failed)

    def _opened(self) -> WebhookSending:
        """The key that signs and the client, opened when there is something to send."""
        if self._sending is None:
            settings = self._settings
            self._sending = WebhookSending(
                client=WebhookClient(SendingRules(is_open=not settings.is_production)),
                ring=open_key_ring(settings, now=self._clock.now()),
                clock=self._clock.now,
                at_once=settings.work.webhooks_at_once,
            )
        return self._sending
