"""Handing text messages to the merchant's own service: one signed POST for each."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import httpx
import orjson
import structlog
from uuid_utils.compat import uuid7

from domain.errors import SmsUnavailable
from domain.texting.messages import TextMessage
from domain.texting.signing import key_of, signature

_log = structlog.get_logger(__name__)

TRIES: Final = 2
"""Once more after no answer, or one that blames the service itself (5xx)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextingLimits:
    """`deadline_s` covers both tries; one of them ends after `try_s`."""

    deadline_s: float = 4.0
    try_s: float = 2.0


class WebhookTextMessages:
    """Posts each message as JSON to a URL, signed as Standard Webhooks has it.

    Both tries carry one `webhook-id`, so that a service that got the first does not send twice. Any
    2xx is taken for sent. Without `http` the client makes its own connection pool, which `aclose()`
    closes. `waiting` makes a context that is entered around each call: whoever waits for the
    service does nothing else.
    """

    def __init__(
        self,
        *,
        url: str,
        secret: str,
        limits: TextingLimits | None = None,
        http: httpx.AsyncClient | None = None,
        waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        make_http: type[httpx.AsyncClient] = httpx.AsyncClient,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._key = key_of(secret)
        self._limits = limits or TextingLimits()
        self._owns_http = http is None
        # Proxies of the environment would only be in the way of a service on this machine.
        self._http = http or make_http(trust_env=not _is_loopback(httpx.URL(url).host))
        self._waiting = waiting
        self._clock_s = clock_s

    async def aclose(self) -> None:
        """Close the connection pool, if it is the client's own."""
        if self._owns_http:
            await self._http.aclose()

    async def send(self, phone: str, message: TextMessage) -> None:
        """Hand the message over. Raises SmsUnavailable when no try was answered with 2xx.

        It was perhaps sent unless the first try was answered with 4xx: the service may have acted
        on a call whose answer is late, or lost behind a proxy that answered for it.
        """
        body = orjson.dumps(
            {
                "type": f"sms.{message.template}",
                "to": phone,
                "text": message.text,
                "language": message.language,
                "values": dict(message.values),
            }
        )
        message_id = f"sms_{uuid7()}"
        why, perhaps_sent = "deadline", True
        try:
            async with self._waiting(), asyncio.timeout(self._limits.deadline_s):
                for tries in range(TRIES):
                    why = await self._try(message_id, body)
                    if why == "":
                        return
                    if why.startswith("status 4"):
                        perhaps_sent = tries > 0
                        break  # It was understood, and refused: the same again would be, too.
        except TimeoutError:
            pass
        # The answer may repeat what we sent, so nothing of it is logged but its status.
        _log.warning("sms_unavailable", message_id=message_id, reason=why)
        raise SmsUnavailable(perhaps_sent=perhaps_sent)

    async def _try(self, message_id: str, body: bytes) -> str:
        """Why this try failed; empty when it did not."""
        moment = int(self._clock_s())
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature(
                self._key, message_id=message_id, timestamp_s=moment, body=body
            ),
        }
        try:
            async with self._http.stream(
                "POST",
                self._url,
                content=body,
                headers=headers,
                timeout=self._limits.try_s,
                follow_redirects=False,
            ) as response:
                return "" if response.is_success else f"status {response.status_code}"
        except httpx.HTTPError as failure:
            return type(failure).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
