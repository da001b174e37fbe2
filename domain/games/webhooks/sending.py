"""Sending one webhook: signed, bounded in time, and to no address but the one that was checked.

The name is resolved once, every address that it has is checked, and the connection goes to one of
them by number: who answers the next question about the name differently changes nothing. The name
stands in `Host` and in the TLS handshake, and the certificate must be its own. Redirects are not
followed, proxies of the environment are not used, and of an answer hardly more than its status is
read.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import httpx

from domain.access import KeyRing
from domain.games.partner_keys import KeyKind, PartnerKey
from domain.games.webhooks.addresses import Resolve, is_public, resolve
from domain.games.webhooks.retrying import retry_after

ADDRESSES_MAX: Final = 4
_ANSWER_BYTES_MAX: Final = 16_384


class SendError(StrEnum):
    """Why a webhook was not taken, where there is no status that says it."""

    TIMEOUT = "timeout"
    UNRESOLVED = "unresolved"
    FORBIDDEN_ADDRESS = "forbidden_address"
    NOT_HTTPS = "not_https"
    TLS = "tls"
    CONNECT = "connect"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one attempt; `error` is None where the receiver has the message.

    `asked_for` is how long the receiver wants us to wait.
    """

    status: int | None = None
    error: SendError | None = None
    asked_for: timedelta | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver says that there is nothing any more at this address."""
        return self.status == HTTPStatus.GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingRules:
    """How webhooks are sent. `is_open`, for development, lets them go anywhere, without TLS too."""

    is_open: bool = False
    timeout_s: float = 15.0
    answer_s: float = 2.0


def signature_headers(
    message_id: str, body: bytes, *, secrets: Sequence[PartnerKey], ring: KeyRing, now: datetime
) -> Mapping[str, str]:
    """The headers of Standard Webhooks: `v1` by each shared secret that counts, `v1a` by our key.

    `jifen-key-id` is the `kid` of our key in `/.well-known/jwks.json`.
    """
    stamp = str(int(now.timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + body
    shared = [one for one in secrets if one.kind is KeyKind.HMAC and one.counts(now)]
    own = ring.signing_key()
    signatures = [
        *(("v1", hmac.digest(one.secret(), signed, hashlib.sha256)) for one in shared),
        ("v1a", own.private.sign(signed)),
    ]
    return {
        "content-type": "application/json",
        "user-agent": "jifen-webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(
            f"{version},{base64.b64encode(one).decode()}" for version, one in signatures
        ),
        "jifen-key-id": own.kid,
    }


class WebhookClient:
    """Posts to addresses that partners gave."""

    def __init__(
        self,
        rules: SendingRules | None = None,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules or SendingRules()
        self._resolve = resolve
        self._tls = tls or httpx.create_ssl_context()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, now: datetime
    ) -> Answer:
        """One attempt. Whatever goes wrong is an answer; it takes `timeout_s` at the most."""
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                return await self._post(url, body, headers, now=now)
        except TimeoutError:
            return Answer(error=SendError.TIMEOUT)

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, now: datetime
    ) -> Answer:
        parts = urlsplit(url)
        if parts.scheme != "https" and not self._rules.is_open:
            return Answer(error=SendError.NOT_HTTPS)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            return Answer(error=SendError.UNRESOLVED)
        # All of them: who has an inner address beside an open one means no good with it.
        if not self._rules.is_open and not all(is_public(one) for one in addresses):
            return Answer(error=SendError.FORBIDDEN_ADDRESS)
        answer = Answer(error=SendError.UNRESOLVED)
        for address in addresses[:ADDRESSES_MAX]:
            answer = await self._post_to(address, url, body, headers, now=now)
            if answer.error is not SendError.CONNECT:
                break
        return answer

    async def _post_to(
        self, address: str, url: str, body: bytes, headers: Mapping[str, str], *, now: datetime
    ) -> Answer:
        # A client of its own: no connection that was made for another name is used again.
        async with httpx.AsyncClient(
            verify=self._tls, trust_env=False, timeout=self._rules.timeout_s
        ) as client:
            try:
                named = httpx.URL(url)
                async with client.stream(
                    "POST",
                    named.copy_with(host=address),
                    content=body,
                    headers={**headers, "host": named.netloc.decode("ascii")},
                    # As it stands in the address: a name in Chinese goes by its `xn--` here too.
                    extensions={"sni_hostname": named.raw_host.decode("ascii")},
                    follow_redirects=False,
                ) as response:
                    answer = _answer(response, now=now)
                    await self._read_on(response)
                    return answer
            except httpx.TimeoutException:
                return Answer(error=SendError.TIMEOUT)
            except httpx.ConnectError as failure:
                return Answer(error=SendError.TLS if _is_tls(failure) else SendError.CONNECT)
            # What is no name for a certificate is a ValueError of the TLS library.
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
                return Answer(error=SendError.PROTOCOL)

    async def _read_on(self, response: httpx.Response) -> None:
        """Let a short answer end, so that its sender is not cut off. Nothing of it matters."""
        read = 0
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(self._rules.answer_s):
                async for some in response.aiter_raw():
                    read += len(some)
                    if read > _ANSWER_BYTES_MAX:
                        break


def _answer(response: httpx.Response, *, now: datetime) -> Answer:
    if response.is_success:
        return Answer(status=response.status_code)
    return Answer(
        status=response.status_code,
        error=SendError.REDIRECT if 300 <= response.status_code < 400 else SendError.STATUS,
        asked_for=retry_after(response.headers.get("retry-after"), now=now),
    )


def _is_tls(failure: BaseException) -> bool:
    """Whether the handshake failed: the same address again, or another one, is no better."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
