"""A partner's turn: what is due for it is sent, a few at a time, until one is not taken.

Each partner's turn is a task of its own, so who is slow holds up nobody else. A turn that meets a
failure ends: the others of this partner would likely fare no better, and have their own next turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import random
from typing import Final

import structlog
from uuid_utils.compat import uuid7

from domain.access import KeyRing
from domain.audit import Actor
from domain.games.partner_keys import PartnerKey, keys_of
from domain.games.webhooks.deliveries import (
    Attempt,
    WebhookDelivery,
    WebhookEndpoint,
    claim,
    record,
)
from domain.games.webhooks.endpoints import give_up
from domain.games.webhooks.sending import Answer, SendError, WebhookClient, signature_headers
from domain.storage import inside_transaction

log = structlog.get_logger("jifen.webhooks")

AT_ONCE: Final = 4
"""Webhooks that one partner gets at once from one process."""

ROUNDS_MAX: Final = 50
"""After so many rounds others have their turn first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTurn:
    """What a turn came to, in attempts."""

    delivered: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSending:
    """What a turn needs. `jitter` gives numbers from 0 to 1."""

    client: WebhookClient
    ring: KeyRing
    clock: Callable[[], datetime]
    at_once: int = AT_ONCE
    jitter: Callable[[], float] = random


async def take_turn(
    endpoint: WebhookEndpoint,
    sender: WebhookSending,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> WebhookTurn:
    """Send what is due for the partner. Never inside a transaction."""
    assert not inside_transaction(), "no lock is held while a partner is waited for"
    delivered = failed = 0
    for _ in range(ROUNDS_MAX):
        lease, claimed = await claim(endpoint, now=sender.clock(), count=sender.at_once)
        if not claimed:
            break
        attempts = await _send(endpoint, claimed, sender)
        await record(endpoint, attempts, lease=lease)
        if any(one.answer.is_gone for one in attempts):
            await give_up(endpoint, by=_job(), now=sender.clock())
            log.warning("webhooks_disabled", partner=endpoint.code)
        missed = [one for one in attempts if one.answer.error is not None]
        delivered, failed = delivered + len(attempts) - len(missed), failed + len(missed)
        _tell(endpoint, missed)
        if missed or stopping():
            break
    return WebhookTurn(delivered=delivered, failed=failed)


async def _send(
    endpoint: WebhookEndpoint, claimed: Sequence[WebhookDelivery], sender: WebhookSending
) -> list[Attempt]:
    secrets = await keys_of(endpoint.partner_id)
    return await asyncio.gather(
        *(_send_one(endpoint, one, sender, secrets=secrets) for one in claimed)
    )


async def _send_one(
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
    sender: WebhookSending,
    *,
    secrets: list[PartnerKey],
) -> Attempt:
    """One attempt. What nobody thought of is one that failed: it must not stay for ever what is
    tried next, and in front of all others.
    """
    now, body = sender.clock(), delivery.payload.encode()
    try:
        headers = signature_headers(
            delivery.message_id, body, secrets=secrets, ring=sender.ring, now=now
        )
        answer = await sender.client.post(endpoint.url, body, headers, now=now)
    except Exception as fault:
        # Its text may hold the address.
        log.error("webhook_broke", partner=endpoint.code, error=type(fault).__name__)
        answer = Answer(error=SendError.PROTOCOL)
    return Attempt(delivery, answer, at=sender.clock(), jitter=sender.jitter())


def _tell(endpoint: WebhookEndpoint, missed: list[Attempt]) -> None:
    """The log hears of failures: never the address, which may hold a secret, nor the answer."""
    for one in missed:
        log.info(
            "webhook_not_taken",
            partner=endpoint.code,
            webhook=one.delivery.message_id,
            attempt=one.delivery.attempts + 1,
            status=one.answer.status,
            error=one.answer.error,
        )


def _job() -> Actor:
    return Actor(name="job:send-webhooks", account_id=None, request_id=uuid7().hex)
