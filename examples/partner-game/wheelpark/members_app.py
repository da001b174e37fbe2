"""The merchant's app, played by a web page: what a mini-program does, for the demo alone.

It shows the member's points, follows them by the subscription `pointsChanged`, and opens the wheel
with a bind token. A real one is the merchant's; the token of the member stays on this server.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

log = logging.getLogger("wheelpark")

LOOK_S = 0.5
LONG = httpx.Timeout(20, read=3_600)
"""A stream says nothing for as long as nothing happens."""

PAGE = Path(__file__).parent.parent / "page"

HOME = """
query Home {
  me {
    nickname
    points { available }
    gameBindings { partner { code name } }
    ledger(first: 8) {
      edges { node { id kind amount reason occurredAt source { kind reference } } }
    }
  }
}
"""

BIND = """
mutation CreateGameBinding($input: CreateGameBindingInput!) {
  createGameBinding(input: $input) {
    binding { partner { code name } bindToken expiresAt } userErrors { code message }
  }
}
"""

POINTS = """
subscription PointsChanged($since: String) {
  pointsChanged(since: $since) {
    cursor version available
    entry { id kind amount reason occurredAt source { kind reference } }
  }
}
"""


class OutOfReach(Exception):
    """Raised when the gateway gave nothing that can be shown; says it in words for people."""


class MembersApp:
    """The handlers, with whom they ask."""

    def __init__(
        self, *, gateway_url: str, member_token: str, partner: str, is_ending: Callable[[], bool]
    ) -> None:
        self._url = f"{gateway_url}/graphql"
        self._headers = {"authorization": f"Bearer {member_token}", "accept-language": "zh"}
        self._partner = partner
        self._is_ending = is_ending
        self._is_reached = True

    async def page(self, request: Request) -> Response:
        """The member's home."""
        return FileResponse(PAGE / "app.html", headers={"cache-control": "no-cache"})

    async def home(self, request: Request) -> Response:
        """The member's points, and what changed them last."""
        return await self._told(HOME, {})

    async def play(self, request: Request) -> Response:
        """A bind token, with the member's consent."""
        values = {"partnerCode": self._partner, "consent": True, "idempotencyKey": uuid.uuid4().hex}
        return await self._told(BIND, {"input": values})

    async def points(self, request: Request) -> Response:
        """The stream of what changes. It ends when the gateway goes, and the page opens another."""
        body = {"query": POINTS, "variables": {}}
        accepting = self._headers | {"accept": "text/event-stream"}
        http = httpx.AsyncClient(timeout=LONG, trust_env=False)
        try:
            async with self._watched():
                asking = http.build_request("POST", self._url, headers=accepting, json=body)
                answer = await http.send(asking, stream=True)
                if answer.is_error:
                    await answer.aread()
                    raise _refusal(answer)
        except BaseException as failure:
            await http.aclose()
            if isinstance(failure, OutOfReach):
                return _said(failure)
            raise

        async def events() -> AsyncIterator[bytes]:
            try:
                async with self._watched():
                    async for part in self._parts(answer):
                        yield part
            except OutOfReach:
                return
            finally:
                await answer.aclose()
                await http.aclose()

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _parts(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        """What comes, until its end or this server's: a page follows its stream for ever."""
        parts = answer.aiter_raw()
        while True:
            coming = asyncio.ensure_future(anext(parts, None))
            try:
                while not coming.done():
                    await asyncio.wait({coming}, timeout=LOOK_S)
                    if self._is_ending():
                        return
            finally:
                coming.cancel()
            part = coming.result()
            if part is None:
                return
            yield part

    async def _told(self, document: str, variables: dict[str, Any]) -> Response:
        try:
            async with (
                self._watched(),
                httpx.AsyncClient(timeout=20, trust_env=False) as http,
            ):
                body = {"query": document, "variables": variables}
                answer = await http.post(self._url, json=body, headers=self._headers)
                if answer.is_error or answer.json().get("errors"):
                    raise _refusal(answer)
                return JSONResponse(answer.json()["data"])
        except OutOfReach as failure:
            return _said(failure)

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Log once that the gateway is gone, and once that it is back. Raises OutOfReach."""
        try:
            yield
        except httpx.HTTPError as failure:
            if self._is_reached:
                log.warning("the gateway at %s is out of reach: %r", self._url, failure)
            self._is_reached = False
            raise OutOfReach("积分服务暂时连不上，正在重试…") from None
        if not self._is_reached:
            log.warning("the gateway at %s answers again", self._url)
        self._is_reached = True


def members_app(
    *,
    gateway_url: str,
    member_token: str,
    partner: str,
    is_ending: Callable[[], bool] = lambda: False,
) -> list[BaseRoute]:
    """The routes of the app, under /app. Streams end once `is_ending`."""
    app = MembersApp(
        gateway_url=gateway_url, member_token=member_token, partner=partner, is_ending=is_ending
    )
    return [
        Route("/app", app.page),
        Route("/app/home", app.home),
        Route("/app/play", app.play, methods=["POST"]),
        Route("/app/points", app.points),
    ]


def _refusal(answer: httpx.Response) -> OutOfReach:
    """What an answer without data means for whoever looks at the page."""
    log.warning("the member's app was refused: %d %s", answer.status_code, answer.text[:200])
    try:
        codes = {one["extensions"]["code"] for one in answer.json()["errors"]}
    except (ValueError, KeyError, TypeError):
        codes = set()
    if answer.status_code == 401 or "UNAUTHENTICATED" in codes:
        return OutOfReach("演示会员的登录已过期，请重新运行 make run 和 make game。")
    return OutOfReach("积分服务忙，请稍后再试。")


def _said(failure: OutOfReach) -> Response:
    return JSONResponse({"message": str(failure)}, status_code=503)
