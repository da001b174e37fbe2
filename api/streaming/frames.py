"""Messages of graphql-transport-ws as clients send them: read, or refused with a close code.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from api.transport import TransportFault, parse_json

PROTOCOL: Final = "graphql-transport-ws"
ID_LENGTH_MAX: Final = 128
REASON_BYTES_MAX: Final = 123
"""What a close frame has room for."""

Kind = Literal["connection_init", "ping", "pong", "subscribe", "complete"]

_KINDS: Final = frozenset({"connection_init", "ping", "pong", "subscribe", "complete"})


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is closed: a close code, and a reason for people.

    `fact` is the `reason` of UNAUTHENTICATED, for event streams, which have no close codes.
    """

    code: int
    reason: str
    fact: str | None = None


MALFORMED: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
UNKNOWN_PROTOCOL: Final = 4406
TIMED_OUT: Final = 4408
ID_IN_USE: Final = 4409
TOO_MANY_INITS: Final = 4429
INTERNAL: Final = 4500
TOO_BIG: Final = 1009
TRY_LATER: Final = 1013

EXPIRED: Final = Ending(UNAUTHORIZED, "The access token is expired.", "expired")
REVOKED: Final = Ending(UNAUTHORIZED, "The access token is revoked.", "revoked")
NOT_INITIALISED: Final = Ending(UNAUTHORIZED, "Unauthorized")
INIT_TIMED_OUT: Final = Ending(TIMED_OUT, "Connection initialisation timeout")
SILENT: Final = Ending(TIMED_OUT, "No answer to pings")
SECOND_INIT: Final = Ending(TOO_MANY_INITS, "Too many initialisation requests")
LEAVING: Final = Ending(1001, "The server is going away")


class BadFrame(Exception):
    """Raised for a message that is none of the protocol; the connection ends with `ending`."""

    def __init__(self, reason: str, *, code: int = MALFORMED) -> None:
        super().__init__(reason)
        self.ending = Ending(code, reason)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `id` is there for `subscribe` and `complete`, `payload` may be left out."""

    kind: Kind
    id: str
    payload: dict[str, Any]


def read_frame(text: str, *, bytes_max: int) -> Frame:
    """The message that a text is. Raises BadFrame."""
    # A character has at most four bytes, so most texts need not be encoded to be measured.
    if len(text) > bytes_max or (len(text) * 4 > bytes_max and len(text.encode()) > bytes_max):
        raise BadFrame(f"A message must not exceed {bytes_max} bytes", code=TOO_BIG)
    try:
        message = parse_json(text)
    except TransportFault:
        raise BadFrame("A message must be valid JSON") from None
    if not isinstance(message, dict):
        raise BadFrame("A message must be a JSON object")
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadFrame("Unknown message type")
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise BadFrame("The payload must be an object")
    if kind not in {"subscribe", "complete"}:
        return Frame(kind=cast("Kind", kind), id="", payload=payload or {})
    identifier = message.get("id")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= ID_LENGTH_MAX:
        raise BadFrame(f"The id must be a string of 1 to {ID_LENGTH_MAX} characters")
    if kind == "subscribe" and payload is None:
        raise BadFrame("The payload is missing")
    return Frame(kind=cast("Kind", kind), id=identifier, payload=payload or {})


def fitting_reason(reason: str) -> str:
    """The reason, cut to what a close frame has room for."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
