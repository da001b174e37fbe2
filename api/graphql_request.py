"""What a client asks: the members of a GraphQL request, read from a body or from a query string."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from api.limits import body_bytes_max, body_s_max
from api.settings import LimitSettings
from api.transport import TransportFault, parse_json, read_body, require_json
from domain.access import Caller
from schema.faults import FaultCode

MEMBERS: Final[Mapping[str, tuple[type, str]]] = {
    "query": (str, "a string"),
    "documentId": (str, "a string"),
    "operationName": (str, "a string"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}
"""The members of a GraphQL request with their types; each may be null or left out."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One request as its client wrote it; what was left out, or null, is None."""

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


async def read_post(request: Request, *, limits: LimitSettings, caller: Caller | None) -> bytes:
    """The body of a POST as it came, read no further than the caller may send; none of a GET.

    Raises TransportFault.
    """
    if request.method == "GET":
        return b""
    encoding = request.headers.get("content-encoding", "identity")
    require_json(request.headers.get("content-type"), content_encoding=encoding)
    return await read_body(
        request,
        bytes_max=body_bytes_max(limits, caller),
        seconds_max=body_s_max(limits, caller),
    )


def read_request(request: Request, body: bytes, *, limits: LimitSettings) -> GraphQLRequest:
    """The GraphQL request of a GET, or of a POST with this body.

    Raises TransportFault unless it is an object whose members have the right types.
    """
    if request.method == "GET":
        return graphql_request(_query_string(request, bytes_max=limits.query_string_bytes_max))
    return graphql_request(parse_json(body))


def graphql_request(value: object) -> GraphQLRequest:
    """The request that a JSON value is. Raises TransportFault."""
    if not isinstance(value, dict):
        message = "The request must be a JSON object."
        raise TransportFault(FaultCode.BAD_REQUEST, message)
    for name, (kind, described) in MEMBERS.items():
        if value.get(name) is not None and not isinstance(value[name], kind):
            message = f"`{name}` must be {described} or null."
            raise TransportFault(FaultCode.BAD_REQUEST, message)
    return GraphQLRequest(
        query=value.get("query"),
        document_id=value.get("documentId"),
        operation_name=value.get("operationName"),
        variables=value.get("variables"),
        extensions=value.get("extensions"),
    )


def _query_string(request: Request, *, bytes_max: int) -> dict[str, Any]:
    if len(request.scope["query_string"]) > bytes_max:
        message = f"The query string must not exceed {bytes_max} bytes."
        raise TransportFault(FaultCode.URI_TOO_LONG, message, limit=bytes_max)
    # What is there but empty counts as left out.
    members: dict[str, Any] = {name: text for name, text in request.query_params.items() if text}
    if any("\0" in text for text in members.values()):
        message = "Strings must not contain U+0000."
        raise TransportFault(FaultCode.BAD_USER_INPUT, message)
    for name in ("variables", "extensions"):
        if name in members:
            members[name] = parse_json(members[name])
    return members
