"""One exchange with WeChat: bounded in time, size and tries.

What may be repeated:

- errcode -1 ("busy") was answered instead of acting, so any call is repeated after it.
- A request that never left (no connection, no free socket) is repeated for any call.
- Anything that fails later (a read timeout, a dropped connection, a 5xx, an answer that is not
  JSON) is ambiguous: WeChat may have acted. Only calls that have the same effect twice as once are
  repeated. A login code is not: WeChat may have used it up, and a second try would then be answered
  with "used", which would blame the caller for our repetition. The caller gets `WeChatUnavailable`
  and asks `wx.login` for a fresh code.

Secrets travel in the query, as WeChat demands. Hence no exception of httpx, which holds the
request, leaves this module, and the request lines httpx logs are stripped of their query.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx
import orjson
import stamina
import structlog

from domain.errors import WeChatUnavailable
from domain.wechat.errcodes import Errcode, error_of
from domain.wechat.limits import WeChatLimits

_log = structlog.get_logger(__name__)

_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_IMAGE_STARTS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_ERRMSG_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class WeChatRequest:
    """A call on its way. Query and body hold secrets and stay out of the text of this object."""

    method: Literal["GET", "POST"]
    path: str
    repeatable: bool
    """True when the effect of two such requests is that of one."""

    params: dict[str, str] = field(default_factory=dict, repr=False)
    body: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """The last part of the path, as in WeChat's documentation."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class WeChatAnswer:
    """What came back: an image, or the fields of a JSON object (never both)."""

    endpoint: str
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    image: bytes | None = field(default=None, repr=False)

    @property
    def errcode(self) -> int:
        """WeChat's number; 0 when all went well."""
        return int(self.fields.get("errcode", Errcode.OK))

    @property
    def errmsg(self) -> str:
        """WeChat's words, cut to a length fit for a log."""
        return str(self.fields.get("errmsg", ""))[:_ERRMSG_CHARACTERS_MAX]

    def require_ok(self) -> None:
        """Raise what an errcode other than 0 stands for: a refusal or a `WeChatFault`."""
        if self.errcode == Errcode.OK:
            return
        error = error_of(endpoint=self.endpoint, errcode=self.errcode, errmsg=self.errmsg)
        _log.info("wechat_refused", endpoint=self.endpoint, errcode=self.errcode)
        raise error

    def text(self, name: str) -> str:
        """A field that must be a text with content; `WeChatUnavailable` if the answer lacks it."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise self.malformed(name)
        return value

    def malformed(self, name: str) -> WeChatUnavailable:
        """The refusal for an answer whose field `name` is not as documented."""
        _log.error("wechat_answer_malformed", endpoint=self.endpoint, field=name)
        return WeChatUnavailable()


class _NoAnswer(Exception):
    """One try brought no answer to use. `acted` says whether WeChat may have acted all the same."""

    def __init__(self, reason: str, *, acted: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.acted = acted


class WeChatTransport:
    """Sends requests to one base URL."""

    def __init__(self, *, http: httpx.AsyncClient, base_url: str, limits: WeChatLimits) -> None:
        if httpx.URL(base_url).scheme not in {"http", "https"}:
            raise ValueError("the base URL of WeChat must start with https:// or http://")
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._limits = limits
        self._timeout = httpx.Timeout(
            limits.read_timeout_seconds, connect=limits.connect_timeout_seconds
        )
        _conceal_queries_in_httpx_log()

    async def exchange(self, request: WeChatRequest) -> WeChatAnswer:
        """Send, repeating what may be repeated, at most `tries_max` times in all.

        Raises `WeChatUnavailable` when no try brought an answer. An answer with an errcode other
        than -1 is returned: the caller knows which of them are outcomes.
        """
        retries = stamina.retry_context(
            on=lambda error: _may_repeat(error, request),
            attempts=self._limits.tries_max,
            timeout=None,
            wait_initial=self._limits.backoff_seconds,
            wait_max=self._limits.backoff_seconds * 4,
            wait_jitter=self._limits.backoff_seconds,
        )
        reason, acted = "no try was made", False
        try:
            async for attempt in retries:
                with attempt:
                    return await self._try(request)
        except _NoAnswer as failure:
            reason, acted = failure.reason, failure.acted
        # Raised outside the handler: the errors before it end at httpx's, which holds the URL with
        # the secret, and would else hang on the refusal as its context.
        _log.warning("wechat_no_answer", endpoint=request.endpoint, reason=reason)
        raise WeChatUnavailable(perhaps_sent=acted)

    async def _try(self, request: WeChatRequest) -> WeChatAnswer:
        status, body = await self._send(request)
        if status != httpx.codes.OK:
            raise _NoAnswer(f"HTTP status {status}", acted=True)
        if body.startswith(_IMAGE_STARTS):
            return WeChatAnswer(endpoint=request.endpoint, image=body)
        answer = WeChatAnswer(endpoint=request.endpoint, fields=_object_in(body))
        if answer.errcode == Errcode.BUSY:
            raise _NoAnswer("busy", acted=False)
        return answer

    async def _send(self, request: WeChatRequest) -> tuple[int, bytes]:
        headers = {"Accept-Encoding": "identity"}
        content = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            # UTF-8 as it is: WeChat checks texts as sent and does not undo \u escapes.
            content = orjson.dumps(request.body)
        try:
            async with self._http.stream(
                request.method,
                self._base_url + request.path,
                params=request.params,
                content=content,
                headers=headers,
                timeout=self._timeout,
                follow_redirects=False,
            ) as response:
                return response.status_code, await self._read(response)
        except httpx.TransportError as error:
            acted = not isinstance(error, _NEVER_SENT)
            raise _NoAnswer(type(error).__name__, acted=acted) from None

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        # Raw bytes: no compression was offered, so a compressed answer is garbage, not a bomb.
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._limits.response_bytes_max:
                raise _NoAnswer("answer too large", acted=True)
        return bytes(body)


def _may_repeat(error: Exception, request: WeChatRequest) -> bool:
    return isinstance(error, _NoAnswer) and (request.repeatable or not error.acted)


def _object_in(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict) or type(fields.get("errcode", 0)) is not int:
        raise _NoAnswer("not a JSON object of WeChat's form", acted=True)
    return fields


class _QueryConcealed(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.copy_with(query=None) if isinstance(argument, httpx.URL) else argument
                for argument in record.args
            )
        return True


_QUERY_CONCEALED = _QueryConcealed()


def _conceal_queries_in_httpx_log() -> None:
    # httpx logs each request line at INFO, and there the app secret and the token would stand.
    logging.getLogger("httpx").addFilter(_QUERY_CONCEALED)
