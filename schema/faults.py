"""Top-level errors: one table of codes, one class to raise, one place where they are presented.

Refusals of the domain are answers and belong into a payload's `userErrors` (see `schema.errors`).
Top-level errors are for authentication, authorization, limits, malformed requests and our own
faults. Every one that leaves the server carries `extensions { code requestId }`. What is neither
raised by us nor found by the GraphQL engine in the client's request is a fault of ours: the client
learns `INTERNAL` and the request id, the log gets the traceback once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from graphql.language import ArgumentNode, Node, ValueNode
from strawberry.exceptions import StrawberryInputCoercionError

from domain.errors import Refusal
from resolvers.context import NotAllowed, NotSignedIn, RequestContext
from schema.errors import refusal_text

log = structlog.get_logger("jifen.graphql")

INTERNAL_MESSAGE = "Internal error"
MESSAGE_LENGTH_MAX = 1_000


class FaultCode(StrEnum):
    """The codes of top-level errors. Additive, like those of refusals."""

    BAD_REQUEST = "BAD_REQUEST"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_FOUND = "NOT_FOUND"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    TOKEN_LIMIT = "TOKEN_LIMIT"  # noqa: S105 - the name of a code
    DEPTH_LIMIT = "DEPTH_LIMIT"
    ALIAS_LIMIT = "ALIAS_LIMIT"
    DIRECTIVE_LIMIT = "DIRECTIVE_LIMIT"
    REPETITION_LIMIT = "REPETITION_LIMIT"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    BAD_ID = "BAD_ID"
    BAD_CURSOR = "BAD_CURSOR"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a code means, and the HTTP status of an answer that has nothing but such errors."""

    status: int
    meaning: str


FAULTS: dict[FaultCode, Fault] = {
    FaultCode.BAD_REQUEST: Fault(400, "The HTTP request is not a GraphQL request."),
    FaultCode.BODY_TOO_LARGE: Fault(413, "The body exceeds the limit of this caller."),
    FaultCode.UNSUPPORTED_MEDIA_TYPE: Fault(415, "The body is not application/json in UTF-8."),
    FaultCode.METHOD_NOT_ALLOWED: Fault(405, "The HTTP method does not serve this operation."),
    FaultCode.NOT_FOUND: Fault(404, "Nothing is served at this path."),
    FaultCode.GRAPHQL_PARSE_FAILED: Fault(400, "The document is not GraphQL."),
    FaultCode.GRAPHQL_VALIDATION_FAILED: Fault(400, "The document does not fit the schema."),
    FaultCode.OPERATION_RESOLUTION_FAILURE: Fault(
        400, "The document has several operations and operationName does not choose one of them."
    ),
    FaultCode.INTROSPECTION_DISABLED: Fault(400, "Introspection needs a token on this server."),
    FaultCode.TOKEN_LIMIT: Fault(400, "The document has too many tokens or comments."),
    FaultCode.DEPTH_LIMIT: Fault(400, "The operation selects too deep."),
    FaultCode.ALIAS_LIMIT: Fault(400, "The operation has too many aliases."),
    FaultCode.DIRECTIVE_LIMIT: Fault(400, "One place of the document has too many directives."),
    FaultCode.REPETITION_LIMIT: Fault(400, "One selection repeats a field too often."),
    FaultCode.BAD_USER_INPUT: Fault(400, "A value does not fit the type or the range it needs."),
    FaultCode.BAD_ID: Fault(400, "The id is not one of this server's, or not of the type needed."),
    FaultCode.BAD_CURSOR: Fault(400, "The cursor is not one of this list's: begin it again."),
    FaultCode.UNAUTHENTICATED: Fault(
        401, "The token is missing where one is needed, or `reason` says expired or invalid."
    ),
    FaultCode.FORBIDDEN: Fault(403, "The token is good, but of a caller who may not do this."),
    FaultCode.INTERNAL: Fault(500, "A fault of ours; report the requestId."),
}


class CodedError(GraphQLError):
    """A top-level error of ours. `facts` are its further extensions, plain JSON values."""

    def __init__(
        self, code: FaultCode, message: str, *, nodes: list[Node] | None = None, **facts: Any
    ) -> None:
        super().__init__(message, nodes=nodes, extensions={"code": code, **facts})


def present_errors(
    errors: list[GraphQLError], *, context: RequestContext | None, errors_max: int
) -> list[GraphQLError]:
    """The errors as the client may see them, at most `errors_max`; our own faults are logged.

    The errors given are left as they are: some live in a cache and are answered again.
    """
    logged: set[int] = set()
    for error in errors[:errors_max]:
        cause = error.original_error or error
        if is_fault_of_ours(error) and id(cause) not in logged:
            logged.add(id(cause))
            log.error("internal_error", path=error.path, exc_info=cause)
    return [_presented(error, context) for error in errors[:errors_max]]


def is_fault_of_ours(error: GraphQLError) -> bool:
    """Whether the error is neither the client's nor a refusal, so that it must be masked."""
    cause = error.original_error or error
    return not (
        isinstance(cause, CodedError | GraphQLSyntaxError | Refusal | NotSignedIn | NotAllowed)
        or _is_coercion(error)
    )


def _presented(error: GraphQLError, context: RequestContext | None) -> GraphQLError:
    message, extensions = _told(error, context)
    if context is not None:
        extensions["requestId"] = context.request_id
        if not context.opens_schema:
            message = message.split(" Did you mean ", maxsplit=1)[0]
    return GraphQLError(
        message[:MESSAGE_LENGTH_MAX],
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )


def _told(error: GraphQLError, context: RequestContext | None) -> tuple[str, dict[str, Any]]:
    """The message and the extensions, without the request id."""
    cause = error.original_error or error
    if isinstance(cause, CodedError):
        return cause.message, dict(cause.extensions or {})
    if isinstance(cause, Refusal):
        text = refusal_text(cause, context.language if context else "zh")
        return text, {"code": cause.code, "retryable": cause.retryable}
    if isinstance(cause, NotSignedIn):
        message, code = "This needs a token.", FaultCode.UNAUTHENTICATED
    elif isinstance(cause, NotAllowed):
        message, code = "This caller may not do this.", FaultCode.FORBIDDEN
    elif isinstance(cause, GraphQLSyntaxError):
        message, code = error.message, FaultCode.GRAPHQL_PARSE_FAILED
    elif _is_coercion(error):
        message, code = error.message, FaultCode.BAD_USER_INPUT
    else:
        message, code = INTERNAL_MESSAGE, FaultCode.INTERNAL
    return message, {"code": code}


def _is_coercion(error: GraphQLError) -> bool:
    """Whether the engine found a value of the client's that does not fit its type.

    Variables are coerced before execution, so their errors have no path. While fields run, the
    engine blames the value or the argument in the document; whatever blames the field itself, like
    an output value that does not fit, is ours.
    """
    cause = error.original_error or error
    if isinstance(cause, StrawberryInputCoercionError):
        return True
    if not isinstance(cause, GraphQLError):
        return False
    if error.path is None:
        return True
    nodes = error.nodes or []
    return bool(nodes) and all(isinstance(node, ValueNode | ArgumentNode) for node in nodes)
