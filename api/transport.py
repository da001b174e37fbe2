"""HTTP around GraphQL: faults of the transport, media types, languages, bodies, JSON.

Whatever goes wrong before an operation runs is answered as JSON of the same shape as any other
GraphQL error, with a code of `schema.faults` and the request id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.observability.metrics import ERRORS
from resolvers.context import Language
from schema.faults import (
    FAULTS,
    OVERLOADED_MESSAGE,
    RATE_LIMITED_MESSAGE,
    FaultCode,
    retry_after_s,
)
from schema.presenting import MESSAGE_LENGTH_MAX

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
HEADER_PARTS_MAX: Final = 20
JSON_DEPTH_MAX: Final = 64
"""Far more than any input of the schema needs."""

VARY: Final = "Accept, Accept-Language, Authorization"
"""What answers to one URL differ by. Compression and CORS add what they look at."""


class TransportFault(HTTPException):
    """A request that is answered without running anything. `facts` are further extensions."""

    def __init__(
        self,
        code: FaultCode,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(FAULTS[code].status, message)
        self.code = code
        self.headers = dict(headers or {})
        self.facts = facts


def overloaded() -> TransportFault:
    """The refusal of a request for which there is no room, or whose caller cannot be looked up."""
    seconds = retry_after_s()
    return TransportFault(
        FaultCode.OVERLOADED,
        OVERLOADED_MESSAGE,
        headers={"retry-after": str(seconds)},
        retryable=True,
        retryAfter=seconds,
    )


def rate_limited(retry_after_s: int) -> TransportFault:
    """The refusal of a request whose caller asks for too much in too short a time."""
    return TransportFault(
        FaultCode.RATE_LIMITED,
        RATE_LIMITED_MESSAGE,
        headers={"retry-after": str(retry_after_s)},
        retryAfter=retry_after_s,
    )


def fault_response(fault: TransportFault, *, request_id: str, media_type: str = JSON) -> Response:
    """The fault as a GraphQL response without data."""
    return Response(
        orjson.dumps({"errors": [fault_error(fault, request_id=request_id)]}),
        status_code=fault.status_code,
        headers={"vary": VARY, **fault.headers},
        media_type=f"{media_type}; charset=utf-8",
    )


def fault_error(fault: TransportFault, *, request_id: str) -> dict[str, Any]:
    """The fault as a GraphQL error."""
    ERRORS.labels(fault.code).inc()
    extensions = {"code": fault.code, **fault.facts, "requestId": request_id}
    # It may repeat what the client sent, which may be long.
    return {"message": fault.reason[:MESSAGE_LENGTH_MAX], "extensions": extensions}


def response_media_type(accept: str | None) -> str:
    """The media type to answer with.

    A client that names `application/graphql-response+json`, and likes it no less than
    `application/json`, gets it. Everybody else gets `application/json`.
    """
    liking = dict(_weighted(accept or ""))
    wanted = liking.get(GRAPHQL_JSON, 0.0)
    return GRAPHQL_JSON if wanted > 0 and wanted >= _liking_of(JSON, liking) else JSON


def require_acceptable(accept: str | None) -> None:
    """Raise TransportFault when the header admits nothing that this server answers with."""
    if accept is None or not accept.strip():
        return
    liking = dict(_weighted(accept))
    if all(_liking_of(kind, liking) == 0 for kind in (JSON, GRAPHQL_JSON, EVENT_STREAM)):
        message = f"Answers are {GRAPHQL_JSON} or {JSON}."
        raise TransportFault(FaultCode.NOT_ACCEPTABLE, message)


def _liking_of(media_type: str, liking: Mapping[str, float]) -> float:
    """The weight that an Accept header gives a media type: the most specific range decides."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((liking[one] for one in ranges if one in liking), 0.0)


def accepts_events(accept: str | None) -> bool:
    """Whether the client names server-sent events as an answer."""
    return dict(_weighted(accept or "")).get(EVENT_STREAM, 0.0) > 0


def prefers_events(accept: str | None) -> bool:
    """Whether the client names server-sent events, and likes no JSON as much."""
    liking = dict(_weighted(accept or ""))
    json = max(liking.get(JSON, 0.0), liking.get(GRAPHQL_JSON, 0.0))
    return liking.get(EVENT_STREAM, 0.0) > json


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether the client can read gzip."""
    liking = dict(_weighted(accept_encoding or ""))
    return liking.get("gzip", liking.get("*", 0.0)) > 0


def response_language(accept_language: str | None) -> Language:
    """zh unless the client prefers en."""
    liking: dict[Language, float] = {"zh": 0.0, "en": 0.0}
    for tag, weight in _weighted(accept_language or ""):
        primary = tag.partition("-")[0]
        if primary in {"zh", "en"}:
            language: Language = "en" if primary == "en" else "zh"
            liking[language] = max(liking[language], weight)
    return "en" if liking["en"] > liking["zh"] else "zh"


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    """The values of an Accept header, lower case, with their weights; malformed weights are 0."""
    for part in header.split(",", maxsplit=HEADER_PARTS_MAX)[:HEADER_PARTS_MAX]:
        value, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, text = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = min(max(float(text), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        yield value, weight


def require_json(content_type: str | None, *, content_encoding: str = "identity") -> None:
    """Raise TransportFault unless the headers say plain application/json, in UTF-8 if they say."""
    if content_encoding.strip().lower() not in {"", "identity"}:
        message = "The body must not be compressed."
        raise TransportFault(
            FaultCode.UNSUPPORTED_MEDIA_TYPE, message, headers={"accept-encoding": "identity"}
        )
    media_type, *parameters = (piece.strip().lower() for piece in (content_type or "").split(";"))
    charsets = [
        text.strip('" ')
        for name, _, text in (parameter.partition("=") for parameter in parameters)
        if name.strip() == "charset"
    ]
    if media_type != JSON or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        message = "The body must be application/json in UTF-8."
        raise TransportFault(
            FaultCode.UNSUPPORTED_MEDIA_TYPE, message, headers={"accept-post": JSON}
        )


async def read_body(request: Request, *, bytes_max: int, seconds_max: float) -> bytes:
    """The body, counted while it comes in. Raises TransportFault once it is too large or late."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise _too_large(bytes_max)
    try:
        async with asyncio.timeout(seconds_max):
            return await _counted(request, bytes_max=bytes_max)
    except TimeoutError:
        message = f"The body did not come within {seconds_max:g} seconds."
        raise TransportFault(
            FaultCode.REQUEST_TIMEOUT, message, headers={"connection": "close"}
        ) from None


async def _counted(request: Request, *, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise _too_large(bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(text: bytes | str) -> Any:
    """The JSON value, without U+0000 in any string. Raises TransportFault.

    orjson refuses invalid UTF-8, lone surrogates and NaN. It reads deeper nesting than it writes,
    and what is read here may have to be written again.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        message = "The request is not valid JSON."
        raise TransportFault(FaultCode.BAD_REQUEST, message) from None
    if _is_deeper(value, JSON_DEPTH_MAX):
        message = f"The request is nested deeper than {JSON_DEPTH_MAX} levels."
        raise TransportFault(FaultCode.BAD_REQUEST, message)
    escaped = b"\\u0000" in text if isinstance(text, bytes) else "\\u0000" in text
    if escaped and _has_nul(value):
        message = "Strings must not contain U+0000."
        raise TransportFault(FaultCode.BAD_USER_INPUT, message)
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether objects and lists stand in each other at more than `depth` levels."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def _has_nul(value: Any) -> bool:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str):
            if "\0" in current:
                return True
        elif isinstance(current, dict):
            pending += current.keys()
            pending += current.values()
        elif isinstance(current, list):
            pending += current
    return False


def _too_large(bytes_max: int) -> TransportFault:
    message = f"The body must not exceed {bytes_max} bytes."
    return TransportFault(FaultCode.BODY_TOO_LARGE, message, limit=bytes_max)
