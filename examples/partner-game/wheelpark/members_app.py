"""The merchant's app, played by a web page: what a mini-program does, for the demo alone.

It shows the member's points, follows them by the subscription `pointsChanged`, and opens the wheel
with a bind token. A real one is the merchant's; the token of the member stays on this server.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

LONG = httpx.Timeout(20, read=3_600)
"""A stream says nothing for as long as nothing happens."""

PAGE = Path(__file__).parent.parent / "page"

HOME = """
query Home {
  me {
    nickname
    points { available }
    ledger(first: 5) { edges { node { id kind amount reason occurredAt } } }
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
    cursor version available entry { id kind amount reason occurredAt }
  }
}
"""


def members_app(*, gateway_url: str, member_token: str, partner: str) -> list[BaseRoute]:
    """The routes of the app, under /app."""
    headers = {"authorization": f"Bearer {member_token}", "accept-language": "zh"}
    url = f"{gateway_url}/graphql"

    async def ask(document: str, variables: dict[str, Any]) -> Any:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            body = {"query": document, "variables": variables}
            return (await http.post(url, json=body, headers=headers)).json()

    async def page(request: Request) -> Response:
        return FileResponse(PAGE / "app.html")

    async def home(request: Request) -> Response:
        return JSONResponse(await ask(HOME, {}))

    async def play(request: Request) -> Response:
        values = {"partnerCode": partner, "consent": True, "idempotencyKey": uuid.uuid4().hex}
        return JSONResponse(await ask(BIND, {"input": values}))

    async def points(request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            body = {"query": POINTS, "variables": {}}
            accepting = headers | {"accept": "text/event-stream"}
            async with (
                httpx.AsyncClient(timeout=LONG, trust_env=False) as http,
                http.stream("POST", url, json=body, headers=accepting) as answer,
            ):
                async for part in answer.aiter_raw():
                    yield part

        return StreamingResponse(events(), media_type="text/event-stream")

    return [
        Route("/app", page),
        Route("/app/home", home),
        Route("/app/play", play, methods=["POST"]),
        Route("/app/points", points),
    ]
