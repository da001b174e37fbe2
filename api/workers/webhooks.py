"""Sending webhooks in the background: each partner's turn is a task of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog

from api.observability.metrics import WEBHOOKS
from api.opening import open_key_ring
from api.settings import Settings
from domain import games
from domain.clock import Clock
from domain.games import SendingRules, WebhookClient, WebhookEndpoint, WebhookSending
from domain.storage import StorageFault

log = structlog.get_logger("jifen.work")


class WebhookSender:
    """Sends what is due in tasks of this process.

    Other processes may do the same: leases keep them apart. A partner who is slow has tasks of its
    own to wait in, and whoever has waited longest begins first where there is no room for all.
    """

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stopping = asyncio.Event()
        self._turns: dict[UUID, asyncio.Task[None]] = {}
        self._sending: WebhookSending | None = None

    def stop(self) -> None:
        """Begin nothing more. What is under way ends by itself."""
        self._stopping.set()

    async def run(self) -> None:
        """Send until stopped, whatever fails meanwhile."""
        try:
            while not self._stopping.is_set():
                await self._begin_turns()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.work.poll_s):
                        await self._stopping.wait()
            if self._turns:
                await asyncio.wait(self._turns.values())
        finally:
            # What was claimed is due again when its lease ends.
            for task in self._turns.values():
                task.cancel()

    async def _begin_turns(self) -> None:
        try:
            for endpoint in await games.due_endpoints(now=self._clock.now()):
                if len(self._turns) >= self._settings.work.webhook_partners_max:
                    break
                if endpoint.partner_id not in self._turns:
                    self._begin(endpoint, self._opened())
        except StorageFault as fault:
            log.warning("webhooks_failed", error=type(fault).__name__, reason=str(fault))
        except Exception:
            log.exception("webhooks_failed")

    def _begin(self, endpoint: WebhookEndpoint, sending: WebhookSending) -> None:
        task = asyncio.create_task(self._take_turn(endpoint, sending))
        self._turns[endpoint.partner_id] = task
        task.add_done_callback(lambda _: self._turns.pop(endpoint.partner_id, None))

    async def _take_turn(self, endpoint: WebhookEndpoint, sending: WebhookSending) -> None:
        try:
            turn = await games.take_turn(endpoint, sending, stopping=self._stopping.is_set)
        except StorageFault as fault:
            log.warning("webhooks_failed", error=type(fault).__name__, reason=str(fault))
        except Exception:
            log.exception("webhooks_failed", partner=endpoint.code)
        else:
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
