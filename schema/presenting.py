"""How errors leave the server: coded, masked, in the client's language, with the request id.

Every error carries `extensions { code requestId }`. What is neither raised by us nor found by the
GraphQL engine in the client's request is a fault of ours: the client learns `INTERNAL` and the
request id, the log gets the traceback, once.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import StrawberryInputCoercionError

from domain.errors import Refusal
from domain.outbox import StreamPositionLost
from domain.storage import StorageFault
from resolvers.context import NotAllowed, NotSignedIn, RequestContext
from schema.errors import refusal_text
from schema.faults import (
    FAULTS,
    INTERNAL_MESSAGE,
    OVERLOADED_MESSAGE,
    CodedError,
    FaultCode,
    blames_values,
    retry_after_s,
)

log = structlog.get_logger("jifen.graphql")

MESSAGE_LENGTH_MAX: Final = 1_000


def present_errors(
    errors: list[GraphQLError], *, context: RequestContext | None, errors_max: int
) -> list[GraphQLError]:
    """The errors as the client may see them, at most `errors_max`; our own faults are logged.

    The errors given are left as they are.
    """
    faults = {id(_cause(error)): error for error in errors if is_fault_of_ours(error)}
    for error in list(faults.values())[:errors_max]:
        _log(error)
    if len(faults) > errors_max:
        log.error("internal_errors_not_logged", count=len(faults) - errors_max)
    return [_presented(error, context) for error in errors[:errors_max]]


def _log(error: GraphQLError) -> None:
    cause = _cause(error)
    if isinstance(cause, StorageFault):
        # A database that is away fails every request: one line each, and no traceback.
        log.warning("storage_fault", path=error.path, fault=type(cause).__name__, reason=str(cause))
    else:
        log.error("internal_error", path=error.path, exc_info=cause)


def is_fault_of_ours(error: GraphQLError) -> bool:
    """Whether the error is neither the client's nor a refusal, so that it must be masked."""
    known = (
        CodedError | GraphQLSyntaxError | Refusal | NotSignedIn | NotAllowed | StreamPositionLost
    )
    return not (isinstance(_cause(error), known) or _is_coercion(error))


def _cause(error: GraphQLError) -> Exception:
    return error.original_error or error


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
    cause = _cause(error)
    if isinstance(cause, CodedError):
        return cause.message, _with_retry_after(dict(cause.extensions or {}))
    if isinstance(cause, Refusal):
        text = refusal_text(cause, context.language if context else "zh")
        return text, {"code": cause.code, "retryable": cause.retryable}
    if isinstance(cause, NotSignedIn):
        message, code = "This needs a token.", FaultCode.UNAUTHENTICATED
    elif isinstance(cause, NotAllowed):
        message, code = "This caller may not do this.", FaultCode.FORBIDDEN
    elif isinstance(cause, StreamPositionLost):
        message, code = FAULTS[FaultCode.CURSOR_EXPIRED].meaning, FaultCode.CURSOR_EXPIRED
    elif isinstance(cause, StorageFault):
        return OVERLOADED_MESSAGE, _with_retry_after({"code": FaultCode.OVERLOADED})
    elif isinstance(cause, GraphQLSyntaxError):
        message, code = error.message, FaultCode.GRAPHQL_PARSE_FAILED
    elif _is_coercion(error):
        message, code = error.message, FaultCode.BAD_USER_INPUT
    else:
        message, code = INTERNAL_MESSAGE, FaultCode.INTERNAL
    return message, {"code": code}


def _with_retry_after(extensions: dict[str, Any]) -> dict[str, Any]:
    """Every OVERLOADED says when to come back, wherever it arose."""
    if extensions["code"] == FaultCode.OVERLOADED:
        extensions.setdefault("retryable", True)
        extensions.setdefault("retryAfter", retry_after_s())
    return extensions


def _is_coercion(error: GraphQLError) -> bool:
    """Whether the engine found a value of the client's that does not fit its type.

    Variables are coerced before execution, so their errors have no path. While fields run, the
    engine blames the value or the argument in the document; whatever blames the field itself, like
    an output value that does not fit, is ours.
    """
    cause = _cause(error)
    if isinstance(cause, StrawberryInputCoercionError):
        return True
    return isinstance(cause, GraphQLError) and (error.path is None or blames_values(error))
