"""HTTP around GraphQL: faults of the transport, media types, languages, bodies, JSON.

Whatever goes wrong before an operation runs is answered as JSON of the same shape as any other
GraphQL error, with a code of `schema.faults` and the request id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from resolvers.context import Language
from schema.faults import FAULTS, FaultCode

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
HEADER_PARTS_MAX: Final = 20


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


def fault_response(fault: TransportFault, *, request_id: str, media_type: str = JSON) -> Response:
    """The fault as a GraphQL response without data."""
    extensions = {"code": fault.code, **fault.facts, "requestId": request_id}
    return Response(
        orjson.dumps({"errors": [{"message": fault.reason, "extensions": extensions}]}),
        status_code=fault.status_code,
        headers=fault.headers,
        media_type=f"{media_type}; charset=utf-8",
    )


def response_media_type(accept: str | None) -> str:
    """The media type to answer with.

    A client that names `application/graphql-response+json`, and likes it no less than
    `application/json`, gets it. Everybody else gets `application/json`, also one that accepts
    neither: the draft lets a server disregard such a header.
    """
    liking = dict(_weighted(accept or ""))
    wanted = liking.get(GRAPHQL_JSON, 0.0)
    return GRAPHQL_JSON if wanted > 0 and wanted >= liking.get(JSON, 0.0) else JSON


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


async def read_body(request: Request, *, bytes_max: int) -> bytes:
    """The body, counted while it comes in. Raises TransportFault once it is too large."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise _too_large(bytes_max)
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

    orjson refuses invalid UTF-8, lone surrogates, NaN and nesting beyond 1,024.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        message = "The request is not valid JSON."
        raise TransportFault(FaultCode.BAD_REQUEST, message) from None
    escaped = b"\\u0000" in text if isinstance(text, bytes) else "\\u0000" in text
    if escaped and _has_nul(value):
        message = "Strings must not contain U+0000."
        raise TransportFault(FaultCode.BAD_USER_INPUT, message)
    return value


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
