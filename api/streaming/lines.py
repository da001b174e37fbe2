"""The line to each peer, kept at hand so that one who reads nothing can be cut off.

A server closes a connection once the peer has taken what was written before. A peer that never
takes it would keep the connection, and what was written, for ever; ASGI has no word for giving it
up, so uvicorn's transport is taken from where it is. With another server nothing is cut off.
"""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger("jifen.streaming")


class Lines:
    """ASGI middleware: notes the transport of each connection. It must be the outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request."""
        if scope["type"] in {"http", "websocket"}:
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            scope["state"] = {**scope.get("state", {}), "line": transport}
        await self.app(scope, receive, send)


def cut(scope: Scope) -> None:
    """Cut the peer of this connection or request off, whatever is still on its way."""
    log.info("peer_cut_off", path=scope["path"])
    transport = scope["state"].get("line")
    if transport is not None:
        transport.abort()
