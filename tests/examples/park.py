"""The platform of the example, taken in by a gateway that runs in the test."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from domain import games, ledger
from domain.games import AddPartnerKey, GameCampaign, KeyKind, Partner, Prize
from tests.domain.access.fixtures import OPERATOR
from tests.domain.games.arcade import open_campaign, open_partner
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from wheelpark import signing
from wheelpark.delivery import Delivery
from wheelpark.gateway import Gateway as PlatformGateway
from wheelpark.settings import Settings, private_key
from wheelpark.store import Store, Win

PRIZES = [Prize(code="points-20", title_zh="20 积分", title_en="20", count=9, odds_ppm=1_000_000)]


class CutOff(httpx.AsyncBaseTransport):
    """Lets a request through, and loses its answer, so many times."""

    def __init__(self, within: httpx.AsyncBaseTransport) -> None:
        self.within = within
        self.lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.within.handle_async_request(request)
        if self.lost and request.url.path == "/graphql":
            self.lost -= 1
            await answer.aread()
            raise httpx.ReadError("the answer was lost")
        return answer


@dataclass(slots=True)
class Park:
    """The platform, taken in by a gateway, and a player of it."""

    gateway: Gateway
    partner: Partner
    campaign: GameCampaign
    settings: Settings
    line: CutOff
    store: Store
    session: Session
    player: str

    def delivery(self) -> Delivery:
        """What sends, as after a restart: it knows what the store holds."""
        http = httpx.AsyncClient(transport=self.line)
        return Delivery(self.settings, self.store, PlatformGateway(self.settings, http))

    def win(self, external_id: str, **other: Any) -> None:
        values: dict[str, Any] = {
            "external_id": external_id,
            "player_id": self.player,
            "prize_code": "points-20",
            "title": "20 积分",
            "points": 20,
            "disclosure_version": "1",
            "won_at": self.store.now_text(),
        }
        assert self.store.add_win(Win(**(values | other)), since=NOW, spins_max=100)

    def states(self) -> dict[str, tuple[str, str | None]]:
        """How each win stands, and why."""
        wins = self.store.wins_of(self.player)
        return {one.external_id: (one.state, one.code) for one in wins}

    async def available(self) -> int:
        """The player's points."""
        return (await ledger.balance(self.session.member, now=self.gateway.clock.now())).available


async def open_park(own_gateway: Gateway, folder: Path) -> Park:
    """A platform with its campaign, which draws one prize, and a player."""
    session = await own_gateway.sign_in()
    partner = await open_partner("wheelpark")
    campaign = await open_campaign("wheelpark", draws_prizes=True)
    await games.freeze_disclosure(campaign.id, PRIZES, by=OPERATOR, now=NOW)
    key = private_key(folder / "key.pem")
    for kind in (KeyKind.ED25519, KeyKind.JWT):
        command = AddPartnerKey(code="wheelpark", kind=kind, public_key=signing.public_text(key))
        await games.add_partner_key(command, by=OPERATOR, now=NOW)
    ref = await games.bind_member(partner.account_id, session.member, now=NOW)
    settings = Settings(
        gateway_url="http://gateway.test",
        partner="wheelpark",
        campaign_id=global_id("GameCampaign", campaign.id),
        key=key,
        webhook_secret=f"whsec_{base64.b64encode(b'a secret of this test, for hooks').decode()}",
        folder=folder,
        clock=lambda: own_gateway.clock.now().timestamp(),
    )
    store = Store(folder / "park.db", settings.clock)
    line = CutOff(httpx.ASGITransport(own_gateway.app))
    return Park(
        gateway=own_gateway,
        partner=partner,
        campaign=campaign,
        settings=settings,
        line=line,
        store=store,
        session=session,
        player=store.player(ref),
    )
