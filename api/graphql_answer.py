"""What a client gets: the body, the media type and the status of a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from cross_web import HTTPException
from starlette.responses import Response
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse, process_result
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.observability.metrics import ERRORS
from api.transport import GRAPHQL_JSON, VARY, TransportFault
from schema.faults import FAULTS, CodedError, FaultCode

TURNED_AWAY: Final = frozenset({FaultCode.OVERLOADED, FaultCode.RATE_LIMITED})
"""What may be sent again as it is, after the seconds that it tells."""

TOLD_BY_STATUS: Final = frozenset({FaultCode.BAD_REQUEST, FaultCode.SIGNATURE_MISSING})
"""What is wrong with the HTTP request itself, though it is found out late."""


def answer_body(result: ExecutionResult) -> GraphQLHTTPResponse:
    """The result as JSON values, without a `data` entry when the operation did not run at all."""
    body = process_result(result)
    if result.data is None and not any(error.path for error in result.errors or ()):
        del body["data"]
    return body


def refusal_body(refusal: CodedError, *, request_id: str) -> GraphQLHTTPResponse:
    """A refusal before anything ran, as JSON values."""
    extensions = {**(refusal.extensions or {}), "requestId": request_id}
    ERRORS.labels(extensions["code"]).inc()
    return {"errors": [{"message": refusal.message, "extensions": extensions}]}


def answer(body: GraphQLHTTPResponse, *, media_type: str) -> Response:
    """The body as a response.

    Under `application/graphql-response+json` an answer without data has the status of its first
    error's code; under `application/json` it has 200, as older clients expect, unless what came was
    no GraphQL request, or was not signed. An answer that has nothing because the service is busy
    has 503 under both, and 429 because of a rate limit.
    """
    status, headers = 200, {"vary": VARY}
    if (turned_away := _turned_away(body)) is not None:
        status, headers["retry-after"] = turned_away
    if "data" not in body:
        facts: Mapping[str, Any] = body["errors"][0]["extensions"]  # type: ignore[index]  # formatted
        if media_type == GRAPHQL_JSON or facts["code"] in TOLD_BY_STATUS:
            status = _status(facts)
        if status == 401:
            headers["www-authenticate"] = 'Bearer realm="jifen"'
        if "retryAfter" in facts:
            headers["retry-after"] = str(facts["retryAfter"])
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers=headers,
        media_type=f"{media_type}; charset=utf-8",
    )


def transport_fault(fault: HTTPException) -> TransportFault:
    """A fault with a code, also where Strawberry raised its own."""
    if isinstance(fault, TransportFault):
        return fault
    return TransportFault(FaultCode.BAD_REQUEST, fault.reason)


def refused_operation(
    refusal: CannotGetOperationTypeError | InvalidOperationTypeError | MissingQueryError,
    *,
    method: str,
) -> TransportFault:
    """Why Strawberry would not run anything."""
    if isinstance(refusal, InvalidOperationTypeError):
        message = f"{refusal.as_http_error_reason(method)}."
        if refusal.operation_type is OperationType.SUBSCRIPTION:
            message = "A subscription needs a WebSocket, or `Accept: text/event-stream`."
        return TransportFault(FaultCode.METHOD_NOT_ALLOWED, message, headers={"allow": "POST"})
    if isinstance(refusal, CannotGetOperationTypeError):
        message = (
            "The document has several operations; operationName must choose one."
            if refusal.operation_name is None
            else refusal.as_http_error_reason()
        )
        return TransportFault(FaultCode.OPERATION_RESOLUTION_FAILURE, message)
    return TransportFault(FaultCode.BAD_REQUEST, "`query` is missing.")


def _turned_away(body: GraphQLHTTPResponse) -> tuple[int, str] | None:
    """The status, and when to come back, where the answer holds nothing and all may be repeated."""
    if any(value is not None for value in (body.get("data") or {}).values()):
        return None
    facts: list[Mapping[str, Any]] = [
        error.get("extensions") or {}  # type: ignore[attr-defined]  # formatted
        for error in body.get("errors") or ()
    ]
    if not facts or any(one.get("code") not in TURNED_AWAY for one in facts):
        return None
    return _status(facts[0]), str(max(one["retryAfter"] for one in facts))


def _status(facts: Mapping[str, Any]) -> int:
    code = facts["code"]
    return FAULTS[code].status if code in FAULTS else 400
