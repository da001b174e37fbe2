"""Cross-origin requests: which pages of other origins may call, by setting; none by default.

No cookie is ever read, so a page can do nothing in its visitor's name that it has no token for;
credentials in the sense of CORS are not allowed. A preflight's answer is good for two hours, the
longest that browsers keep one.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFLIGHT_S: Final = 7_200
METHODS: Final = "GET, POST"
ALLOWED_HEADERS: Final = ", ".join(
    (
        "Accept",
        "Accept-Language",
        "Apollo-Require-Preflight",
        "Authorization",
        "Content-Type",
        "If-None-Match",
        "Traceparent",
        "X-Apollo-Operation-Name",
        "X-Device-Id",
        "X-Jifen-Cost",
        "X-Request-Id",
    )
)
EXPOSED_HEADERS: Final = "ETag, Retry-After, Server-Timing, WWW-Authenticate, X-Request-Id"


class CrossOrigin:
    """ASGI middleware, the outermost: whatever answers, a page of an allowed origin can read it."""

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...]) -> None:
        self.app = app
        self._origins = frozenset(origins)
        self._any = "*" in self._origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only HTTP is looked at."""
        if scope["type"] != "http" or not self._origins:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = bool(origin) and (self._any or origin in self._origins)
        if allowed and _is_preflight(scope, headers):
            await self._preflight(origin)(scope, receive, send)
            return

        async def send_to_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                self._say_origin(answered, origin if allowed else None)
                if allowed:
                    answered["access-control-expose-headers"] = EXPOSED_HEADERS
            await send(message)

        await self.app(scope, receive, send_to_origin)

    def _preflight(self, origin: str) -> Response:
        response = Response(
            status_code=204,
            headers={
                "access-control-allow-methods": METHODS,
                "access-control-allow-headers": ALLOWED_HEADERS,
                "access-control-max-age": str(PREFLIGHT_S),
            },
        )
        self._say_origin(response.headers, origin)
        return response

    def _say_origin(self, headers: MutableHeaders, allowed_origin: str | None) -> None:
        """Name the origin; the answer differs by it, also where there is none to name."""
        if self._any:
            headers["access-control-allow-origin"] = "*"
            return
        headers.add_vary_header("Origin")
        if allowed_origin is not None:
            headers["access-control-allow-origin"] = allowed_origin


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers
