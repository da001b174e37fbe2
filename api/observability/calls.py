"""Calls to other servers over HTTP, as spans. What stands in the query may be a secret."""

from __future__ import annotations

from typing import Any

import httpx

from api.observability import tracing


class WatchedHttp(httpx.AsyncClient):
    """A client whose requests are spans, and carry the W3C header, where traces are on."""

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send one request; its span ends when the answer begins."""
        if tracing.current() is None:
            return await super().send(request, **how)
        url = request.url
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "server.address": url.host,
            "url.path": url.path,
        }
        with tracing.part(f"{request.method} {url.path}", attributes, calls=True) as span:
            traceparent = tracing.traceparent()
            if traceparent is not None:
                request.headers["traceparent"] = traceparent
            response = await super().send(request, **how)
            span.describe({"http.response.status_code": response.status_code})
            return response
