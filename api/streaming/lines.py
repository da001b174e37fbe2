"""The line to each peer, kept at hand so that one who reads nothing can be cut off.

A server closes a connection once the peer has taken what was written before. A peer that never
takes it would keep the connection, and what was written, for ever; ASGI has no word for giving it
up, so uvicorn's transport is taken from where it is. With another server nothing is cut off.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger("jifen.streaming")


class Lines:
    """ASGI middleware: notes the transport of each connection. It must be the outermost.

    `sockets` are WebSockets by their path, served from here: what stands in between does nothing
    for them, and each layer would cost every open connection a part of a kilobyte.
    """

    def __init__(self, app: ASGIApp, *, sockets: Mapping[str, ASGIApp]) -> None:
        self.app = app
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request."""
        served = self.app
        if scope["type"] in {"http", "websocket"}:
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            scope["state"] = {**scope.get("state", {}), "line": transport}
            if scope["type"] == "websocket":
                served = self._sockets.get(scope["path"], self.app)
        await served(scope, receive, send)


def cut(scope: Scope) -> None:
    """Cut the peer of this connection or request off, whatever is still on its way."""
    log.info("peer_cut_off", path=scope["path"])
    transport = scope["state"].get("line")
    if transport is not None:
        transport.abort()
