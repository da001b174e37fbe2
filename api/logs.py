"""Structured logs and request ids.

Every request has an id: the client's `X-Request-Id` if it is well-formed, else one of ours. It is
in the answer, in every error, and in every line that is logged while the request runs. A fault that
nothing else answered is answered here, masked.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Any, Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api.observability.requests import WatchedRequest, watched_request
from api.transport import TransportFault, fault_response
from schema.faults import INTERNAL_MESSAGE, FaultCode

REQUEST_ID_HEADER: Final = "x-request-id"
CLIENT_CLOSED_REQUEST: Final = 499
PATH_LENGTH_MAX: Final = 256
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
_PLAIN_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

log = structlog.get_logger("jifen.http")


def configure_logs(*, production: bool, level: str) -> None:
    """Send all logs to standard error: JSON lines in production, coloured text otherwise.

    Tracebacks are without the values of variables, which may be personal data or secrets.
    """
    renderers: list[Any] = (
        [_PLAIN_TRACEBACKS, structlog.processors.JSONRenderer()]
        if production
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        # Asked for at each line, so that whoever redirects standard error gets the line.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _bring_in_standard_logs(production=production)


class StandardLogs(logging.Handler):
    """Sends what libraries tell Python's own logging (uvicorn, asyncpg, taskiq) where ours goes."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, whose event is the library's name."""
        try:
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            facts = {"exc_info": record.exc_info} if record.exc_info else {}
            structlog.get_logger(record.name).log(
                level,
                record.name.partition(".")[0],
                logger=record.name,
                message=record.getMessage(),
                **facts,
            )
        except Exception:
            self.handleError(record)


def _bring_in_standard_logs(*, production: bool) -> None:
    """Have the root logger tell ours, warnings and worse where nobody set another level.

    In production uvicorn's own handlers, which plain `uvicorn gateway:app` sets up, give way.
    """
    root = logging.getLogger()
    for known in [one for one in root.handlers if isinstance(one, StandardLogs)]:
        root.removeHandler(known)
    root.addHandler(StandardLogs())
    logging.getLogger("uvicorn.error").addFilter(_tell_of_peers_briefly)
    if production:
        logging.getLogger("uvicorn").handlers = []
        logging.getLogger("uvicorn").propagate = True


def _tell_of_peers_briefly(record: logging.LogRecord) -> bool:
    """What a peer sent wrongly is one line: uvicorn has a traceback for text that is no UTF-8."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def request_id(scope: Scope) -> str:
    """The id of the request that this scope belongs to."""
    found: str = scope["state"]["request_id"]
    return found


def note_duration(scope: Scope, name: str, started_at: float) -> None:
    """Report in `Server-Timing` what began at `started_at` (time.perf_counter) and ends now."""
    scope["state"]["durations_ms"][name] = (time.perf_counter() - started_at) * 1_000


class RequestLog:
    """ASGI middleware: request id in and out, `Server-Timing`, one line per request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP is looked at."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        with (
            watched_request(scope) as exchange.watched,
            structlog.contextvars.bound_contextvars(
                request_id=request_id(scope), **exchange.watched.told
            ),
        ):
            try:
                await self.app(scope, receive, exchange.send)
            except ClientDisconnect:
                exchange.status = CLIENT_CLOSED_REQUEST
            except Exception as fault:
                log.error("internal_error", exc_info=fault)
                await exchange.answer_fault(receive)
            finally:
                exchange.log()
                exchange.watched.end(exchange.status)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.status: int | None = None
        self.watched: WatchedRequest
        self.started_at = time.perf_counter()
        # Lifespan state is shared by all requests; each gets its own copy of the mapping.
        scope["state"] = {
            **scope.get("state", {}),
            "request_id": request_id_for(scope),
            "durations_ms": {},
        }

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            note_duration(self.scope, "total", self.started_at)
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = request_id(self.scope)
            if self.watched.traceparent is not None:
                headers["traceresponse"] = self.watched.traceparent
            headers["server-timing"] = ", ".join(
                f"{name};dur={duration_ms:.1f}"
                for name, duration_ms in self.scope["state"]["durations_ms"].items()
            )
        await self._send(message)

    async def answer_fault(self, receive: Receive) -> None:
        if self.status is not None:
            return  # An answer has begun; the server closes the connection.
        fault = TransportFault(FaultCode.INTERNAL, INTERNAL_MESSAGE)
        response = fault_response(fault, request_id=request_id(self.scope))
        await response(self.scope, receive, self.send)

    def log(self) -> None:
        log.info(
            "request",
            method=self.scope["method"],
            path=self.scope["path"][:PATH_LENGTH_MAX],
            status=self.status,
            duration_ms=round((time.perf_counter() - self.started_at) * 1_000, 1),
        )


def request_id_for(scope: Scope) -> str:
    """The id that a new request gets: its client's, if it is well-formed, else one of ours."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER.encode():
            text: str = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return text
    return uuid7().hex
