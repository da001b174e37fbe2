"""The platform's own server: the page, the draw, and what the merchant's gateway tells it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from wheelpark.campaign import Campaign, read_campaign
from wheelpark.delivery import Delivery
from wheelpark.gateway import EXCHANGE, Gateway, Refused, TryLater
from wheelpark.settings import Settings
from wheelpark.store import Store, Win
from wheelpark.wheel import draw

log = logging.getLogger("wheelpark")

PAGE = Path(__file__).parent.parent / "page"
PLAYER, VISITOR = "player", "visitor"
SPINS_A_DAY = 20
WEBHOOK_BYTES_MAX = 64 * 1024
STATES = {
    "reward.applied": "APPLIED",
    "reward.reversed": "REVERSED",
    "reward.rejected": "REJECTED",
}
"""What webhooks tell of what was sent: `reward.reversed` names what took a win back."""
LATER = "网络开小差了，请稍后再试。"


class WheelPark:
    """The handlers, with what they share."""

    def __init__(self, settings: Settings, store: Store, gateway: Gateway) -> None:
        self._settings = settings
        self._store = store
        self._gateway = gateway
        self._webhook = Webhook(settings.webhook_secret)
        self._known: Campaign | None = None

    async def page(self, request: Request) -> Response:
        """The wheel. Whoever comes is a visitor by a random number."""
        answer = FileResponse(PAGE / "index.html")
        visitor = request.cookies.get(VISITOR)
        if visitor is None:
            visitor = secrets.token_urlsafe(16)
            answer.set_cookie(VISITOR, visitor, httponly=True, samesite="lax")
        self._store.add_event("VISIT", visitor=visitor)
        return answer

    async def wheel(self, request: Request) -> Response:
        """What may be won and at what odds, for whoever looks."""
        return JSONResponse((await self._campaign()).told())

    async def enter(self, request: Request) -> Response:
        """A player comes with a bind token of the merchant's app, or is known by the cookie.

        Who brings a token is whom it names, or nobody: on a phone that is shared, the player of the
        cookie is somebody else.
        """
        token = (await _json(request)).get("bindToken")
        if isinstance(token, str) and token:
            try:
                await self._campaign()  # Before the token: that is good once.
                known = await self._exchanged(token)
            except TryLater as failure:
                log.warning("%s: %s", request.url.path, failure)
                return _forgetting(_said(LATER, status=503))
            if known is None:
                return _forgetting(_said("这个链接已失效，请回到会员中心重新进入。", status=403))
        else:
            known = self._player(request)
            if known is None:
                return _nobody()
        answer = JSONResponse(await self._standing(known))
        answer.set_cookie(PLAYER, known, httponly=True, samesite="lax")
        return answer

    async def _exchanged(self, token: str) -> str | None:
        """The player whom a token names; None where it is no good. Raises TryLater."""
        try:
            payload = await self._gateway.mutate(EXCHANGE, {"bindToken": token})
        except Refused:
            return None
        ref = payload["memberRef"]
        return None if ref is None else self._store.player(ref)

    async def spin(self, request: Request) -> Response:
        """Draw a prize and keep it. It is sent from there, whatever happens to this answer."""
        player = self._player(request)
        if player is None:
            return _nobody()
        campaign = await self._campaign()
        prize = draw(campaign.prizes)
        win = Win(
            external_id=f"win-{secrets.token_hex(16)}",
            player_id=player,
            prize_code=prize.code,
            title=prize.title,
            points=prize.points,
            disclosure_version=campaign.version,
            won_at=self._store.now_text(),
            state="NEW" if prize.points else "NOTHING",
        )
        since = campaign.day_begins(self._settings.clock())
        if not self._store.add_win(win, since=since, spins_max=SPINS_A_DAY):
            return _said("今天的次数用完了，明天零点后再来。", status=429)
        visitor = request.cookies.get(VISITOR) or player
        self._store.add_event("PLAY", visitor=visitor, member_ref=self._store.member_ref(player))
        return JSONResponse({"place": campaign.place_of(prize), **await self._standing(player)})

    async def wins(self, request: Request) -> Response:
        """What the player won, and how far its points have come."""
        player = self._player(request)
        return _nobody() if player is None else JSONResponse(await self._standing(player))

    async def webhook(self, request: Request) -> Response:
        """What the gateway tells. Anything that is not signed by it is refused."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > WEBHOOK_BYTES_MAX:
                return Response(status_code=413)
        try:
            told: Any = self._webhook.verify(body, dict(request.headers))
        except WebhookVerificationError:
            return Response(status_code=401)
        self._store.hear(
            request.headers["webhook-id"],
            told["type"],
            external_ids=told["data"].get("externalIds", []),
            state=STATES.get(told["type"]),
        )
        return Response(status_code=204)

    async def _campaign(self) -> Campaign:
        """As the merchant disclosed it: a disclosure that is frozen stays. Raises TryLater."""
        if self._known is None:
            self._known = await read_campaign(self._gateway, self._settings.campaign_id)
        return self._known

    def _player(self, request: Request) -> str | None:
        known = request.cookies.get(PLAYER)
        return known if known and self._store.member_ref(known) else None

    async def _standing(self, player: str) -> dict[str, Any]:
        since = (await self._campaign()).day_begins(self._settings.clock())
        wins = [
            {name: value for name, value in asdict(win).items() if name != "player_id"}
            for win in self._store.wins_of(player)
        ]
        left = max(0, SPINS_A_DAY - self._store.spins_since(player, since))
        return {"wins": wins, "spinsLeft": left, "pointsArrived": self._store.points_of(player)}


def build(
    settings: Settings,
    *,
    store: Store | None = None,
    more: Sequence[BaseRoute] = (),
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """The application, which sends what was won for as long as it runs.

    `transport` is the way to the gateway where it is no network.
    """
    kept = store or Store(settings.folder / "wheelpark.db", settings.clock)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=20, trust_env=False, transport=transport) as http:
            gateway = Gateway(settings, http)
            park = WheelPark(settings, kept, gateway)
            app.state.park = park
            sending = asyncio.create_task(Delivery(settings, kept, gateway).run())
            try:
                yield
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError):
                    await sending

    def served(name: str) -> Any:
        async def endpoint(request: Request) -> Response:
            answer: Response = await getattr(request.app.state.park, name)(request)
            answer.headers["cache-control"] = "no-store"
            return answer

        return endpoint

    async def later(request: Request, failure: Exception) -> Response:
        log.warning("%s: %s", request.url.path, failure)
        return _said(LATER, status=503)

    return Starlette(
        routes=[
            Route("/", served("page")),
            Route("/api/wheel", served("wheel")),
            Route("/api/enter", served("enter"), methods=["POST"]),
            Route("/api/spin", served("spin"), methods=["POST"]),
            Route("/api/wins", served("wins")),
            Route("/webhooks", served("webhook"), methods=["POST"]),
            *more,
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        exception_handlers={TryLater: later, Refused: later},
        lifespan=lifespan,
    )


async def _json(request: Request) -> dict[str, Any]:
    try:
        told = await request.json()
    except json.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _said(message: str, *, status: int) -> Response:
    return JSONResponse({"message": message}, status_code=status)


def _nobody() -> Response:
    return _said("请从会员中心进入，登录后就能转。", status=401)


def _forgetting(answer: Response) -> Response:
    answer.delete_cookie(PLAYER, httponly=True, samesite="lax")
    return answer
