"""The token of a connection: from `connection_init`, else from the handshake's header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.datastructures import Headers


def presented(payload: Mapping[str, Any], headers: Headers) -> Headers:
    """What authenticates the connection, as headers; a token in the payload counts alone.

    The payload names it `authorization` or `Authorization`, as in the header, or `token`, without
    the word Bearer. What is null is not there.
    """
    tokens = [value.encode("latin-1", errors="replace") for value in _tokens(payload)]
    if not tokens:
        return headers
    return Headers(raw=[(b"authorization", token) for token in dict.fromkeys(tokens)])


def _tokens(payload: Mapping[str, Any]) -> Iterator[str]:
    for name in ("authorization", "Authorization"):
        if payload.get(name) is not None:
            yield str(payload[name])
    if payload.get("token") is not None:
        yield f"Bearer {payload['token']}"
