"""Top-level errors: one table of codes, one class to raise.

Refusals of the domain are answers and belong into a payload's `userErrors` (see `schema.errors`).
Top-level errors are for authentication, authorization, limits, malformed requests and our own
faults. How they leave the server is the matter of `schema.presenting`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from graphql import ArgumentNode, GraphQLError, Node, ValueNode

INTERNAL_MESSAGE: Final = "Internal error"
RATE_LIMITED_MESSAGE: Final = "Too much was asked in too short a time."
OVERLOADED_MESSAGE: Final = "The service is busy; send the same again in a moment."
SIGNATURE_MISSING_MESSAGE: Final = "What a partner changes must be signed."
RETRY_AFTER_S: Final = (1, 3)
"""The bounds of what OVERLOADED asks for, in seconds."""


class FaultCode(StrEnum):
    """The codes of top-level errors. Additive, like those of refusals."""

    BAD_REQUEST = "BAD_REQUEST"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    URI_TOO_LONG = "URI_TOO_LONG"
    NOT_FOUND = "NOT_FOUND"
    FILE_REFUSED = "FILE_REFUSED"
    TOO_MANY_UPLOADS = "TOO_MANY_UPLOADS"
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
    SIGNATURE_MISSING = "SIGNATURE_MISSING"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SIGNATURE_STALE = "SIGNATURE_STALE"
    NETWORK_FORBIDDEN = "NETWORK_FORBIDDEN"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_MISMATCH = "PERSISTED_QUERY_MISMATCH"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    COST_LIMIT = "COST_LIMIT"
    RATE_LIMITED = "RATE_LIMITED"
    TOO_MANY_SUBSCRIPTIONS = "TOO_MANY_SUBSCRIPTIONS"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    OVERLOADED = "OVERLOADED"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a code means, and the HTTP status of an answer that has nothing but such errors."""

    status: int
    meaning: str


FAULTS: Final[dict[FaultCode, Fault]] = {
    FaultCode.BAD_REQUEST: Fault(400, "The HTTP request is not a GraphQL request."),
    FaultCode.BODY_TOO_LARGE: Fault(413, "The body exceeds the limit of this caller."),
    FaultCode.UNSUPPORTED_MEDIA_TYPE: Fault(415, "The body is not application/json in UTF-8."),
    FaultCode.METHOD_NOT_ALLOWED: Fault(405, "The HTTP method does not serve this operation."),
    FaultCode.NOT_ACCEPTABLE: Fault(406, "The `Accept` header admits no JSON."),
    FaultCode.REQUEST_TIMEOUT: Fault(408, "The body did not come in time: send it again."),
    FaultCode.URI_TOO_LONG: Fault(414, "The URL exceeds the limit: send the query by POST."),
    FaultCode.NOT_FOUND: Fault(404, "Nothing is served at this path."),
    FaultCode.FILE_REFUSED: Fault(
        415, "The file is not a whole JPEG, PNG or WebP image and nothing else: `rule` says why."
    ),
    FaultCode.TOO_MANY_UPLOADS: Fault(
        429, "As many files were uploaded as may wait for a message: send them along first."
    ),
    FaultCode.GRAPHQL_PARSE_FAILED: Fault(400, "The document is not GraphQL."),
    FaultCode.GRAPHQL_VALIDATION_FAILED: Fault(400, "The document does not fit the schema."),
    FaultCode.OPERATION_RESOLUTION_FAILURE: Fault(
        400, "The document has several operations and operationName does not choose one of them."
    ),
    FaultCode.INTROSPECTION_DISABLED: Fault(400, "Introspection needs a token on this server."),
    FaultCode.TOKEN_LIMIT: Fault(
        400, "The document is too long, or has too many tokens or comments."
    ),
    FaultCode.DEPTH_LIMIT: Fault(400, "The operation selects too deep."),
    FaultCode.ALIAS_LIMIT: Fault(400, "The operation has too many aliases."),
    FaultCode.DIRECTIVE_LIMIT: Fault(400, "One place of the document has too many directives."),
    FaultCode.REPETITION_LIMIT: Fault(400, "One selection repeats a field too often."),
    FaultCode.BAD_USER_INPUT: Fault(400, "A value does not fit the type or the range it needs."),
    FaultCode.BAD_ID: Fault(400, "The id is not one of this server's, or not of the type needed."),
    FaultCode.BAD_CURSOR: Fault(400, "The cursor is not one of this list's: begin it again."),
    FaultCode.UNAUTHENTICATED: Fault(
        401,
        "The token is missing where one is needed, or `reason` says expired, revoked or invalid.",
    ),
    FaultCode.FORBIDDEN: Fault(403, "The token is good, but of a caller who may not do this."),
    FaultCode.SIGNATURE_MISSING: Fault(
        401, "A mutation of a partner is not signed, or a header of its signature is missing."
    ),
    FaultCode.SIGNATURE_INVALID: Fault(
        401, "No signature of the request is that of a key of this partner that counts now."
    ),
    FaultCode.SIGNATURE_STALE: Fault(
        401, "The request was signed more than five minutes ago, or ahead: sign it anew."
    ),
    FaultCode.NETWORK_FORBIDDEN: Fault(403, "The partner may not call from this address."),
    FaultCode.PERSISTED_QUERY_NOT_FOUND: Fault(
        404, "No document is kept under this hash: send it once together with its text."
    ),
    FaultCode.PERSISTED_QUERY_MISMATCH: Fault(
        400, "The hash is not the SHA-256 of the document that came with it."
    ),
    FaultCode.DOCUMENT_NOT_TRUSTED: Fault(
        403, "This server runs only documents of its manifest for this kind of caller."
    ),
    FaultCode.CURSOR_EXPIRED: Fault(
        410, "What followed this cursor is no longer kept: fetch everything, then follow anew."
    ),
    FaultCode.COST_LIMIT: Fault(400, "The operation may cost more than one request is allowed."),
    FaultCode.RATE_LIMITED: Fault(
        429, "Too much was asked in too short a time: wait `retryAfter` seconds."
    ),
    FaultCode.TOO_MANY_SUBSCRIPTIONS: Fault(
        429, "The connection or the caller has as many subscriptions open as are allowed."
    ),
    FaultCode.DEADLINE_EXCEEDED: Fault(
        504,
        "The answer was not ready in time. `outcome` says NONE where nothing was changed, UNKNOWN "
        "where a mutation may have taken effect: send the same again, with the same keys.",
    ),
    FaultCode.OVERLOADED: Fault(
        503,
        "The service is busy, or its database is away: send the same again, with the same keys, "
        "after `retryAfter` seconds.",
    ),
    FaultCode.INTERNAL: Fault(500, "A fault of ours; report the requestId."),
}


def retry_after_s() -> int:
    """After how many whole seconds to send again; at random, lest all that were refused come back
    together.
    """
    return random.randint(*RETRY_AFTER_S)  # noqa: S311 - nobody gains by guessing it


class CodedError(GraphQLError):
    """A top-level error of ours. `facts` are its further extensions, plain JSON values."""

    def __init__(
        self, code: FaultCode, message: str, *, nodes: list[Node] | None = None, **facts: Any
    ) -> None:
        super().__init__(message, nodes=nodes, extensions={"code": code, **facts})


def blames_values(error: GraphQLError) -> bool:
    """Whether the error points at nothing but values and arguments that stand in the document."""
    nodes = error.nodes or []
    return bool(nodes) and all(isinstance(node, ValueNode | ArgumentNode) for node in nodes)
