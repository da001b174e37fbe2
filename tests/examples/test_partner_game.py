"""The platform of the example, on the real gateway: what it wins arrives once, whatever dies."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from domain import games, ledger
from domain.files import FileStore
from domain.games import AddPartnerKey, GameCampaign, KeyKind, Partner, Prize
from domain.storage import fetch_all
from tests.domain.access.fixtures import OPERATOR
from tests.domain.games.arcade import open_campaign, open_partner
from tests.domain.ledger.commands import SHANGHAI
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from wheelpark import signing
from wheelpark.delivery import AGAIN_AFTER_S, Delivery
from wheelpark.gateway import RECEIPTS, TryLater
from wheelpark.gateway import Gateway as PlatformGateway
from wheelpark.receipts import receipt_is_signed
from wheelpark.reconcile import NotYet, Reconciled, reconcile
from wheelpark.server import build
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
        assert self.store.add_win(Win(**(values | other)), wins_max_on_a_day=100)

    def states(self) -> dict[str, tuple[str, str | None]]:
        """How each win stands, and why."""
        wins = self.store.wins_of(self.player)
        return {one.external_id: (one.state, one.code) for one in wins}

    async def available(self) -> int:
        """The player's points."""
        return (await ledger.balance(self.session.member, now=self.gateway.clock.now())).available


@pytest.fixture
async def park(own_gateway: Gateway, tmp_path: Path) -> Park:
    session = await own_gateway.sign_in()
    partner = await open_partner("wheelpark")
    campaign = await open_campaign("wheelpark", draws_prizes=True)
    await games.freeze_disclosure(campaign.id, PRIZES, by=OPERATOR, now=NOW)
    key = private_key(tmp_path / "key.pem")
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
        folder=tmp_path,
        clock=lambda: own_gateway.clock.now().timestamp(),
    )
    store = Store(tmp_path / "park.db", settings.clock)
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


async def test_what_is_won_arrives_with_a_receipt(park: Park) -> None:
    park.win("w1")
    park.win("w2")
    assert park.states() == {"w1": ("NEW", None), "w2": ("NEW", None)}
    delivery = park.delivery()
    assert await delivery.turn() is True
    assert park.states() == {"w1": ("APPLIED", None), "w2": ("APPLIED", None)}
    assert await park.available() == 40
    assert await delivery.turn() is False


async def test_an_answer_that_is_lost_is_fetched_again_by_whoever_comes_after(park: Park) -> None:
    park.win("w1")
    delivery = park.delivery()
    park.line.lost = 1
    with pytest.raises(TryLater):
        await delivery.turn()
    assert await park.available() == 20, "it took effect, though nobody here knows"
    park.win("w2")
    after = park.delivery()
    assert await after.turn() is True
    assert park.states() == {"w1": ("APPLIED", None), "w2": ("NEW", None)}
    assert await after.turn() is True
    assert await park.available() == 40
    assert park.states()["w2"] == ("APPLIED", None)
    [row] = await fetch_all("SELECT count(*) AS batches FROM reward_batch")
    assert row["batches"] == 2


async def test_what_is_refused_for_now_is_sent_again_later_and_what_is_wrong_is_not(
    park: Park,
) -> None:
    park.win("wrong", prize_code="points-900")
    await games.unbind_member(park.partner.account_id, park.session.member, now=NOW)
    park.win("early")
    delivery = park.delivery()
    await delivery.turn()
    assert park.states()["early"] == ("NEW", "NOT_BOUND")
    assert await delivery.turn() is False, "not before its time"
    await games.bind_member(park.partner.account_id, park.session.member, now=NOW)
    park.gateway.clock.advance(seconds=AGAIN_AFTER_S)
    assert await delivery.turn() is True
    assert park.states()["early"] == ("APPLIED", None)
    state, code = park.states()["wrong"]
    assert (state, code) == ("REJECTED", "PRIZE_UNKNOWN")
    assert await park.available() == 20


async def test_the_day_has_so_many_spins(park: Park) -> None:
    park.win("w1")
    win = park.store.wins_of(park.player)[0]
    assert park.store.add_win(win, wins_max_on_a_day=1) is False


async def test_a_day_is_compared(park: Park) -> None:
    park.win("w1")
    park.win("w2")
    delivery = park.delivery()
    await delivery.turn()
    platform = PlatformGateway(park.settings, httpx.AsyncClient(transport=park.line))
    day = NOW.astimezone(SHANGHAI).date()
    with pytest.raises(NotYet):
        await reconcile(park.settings, park.store, platform, day)

    park.gateway.clock.advance(days=1)
    clock = park.gateway.clock
    files = FileStore(park.gateway.files.folder / "reconciliation")
    assert await games.reconcile_due(files=files, now=clock.now) >= 1
    same = await reconcile(park.settings, park.store, platform, day)
    assert same == Reconciled(theirs=2, mine=2, differences=[])

    with sqlite3.connect(park.settings.folder / "park.db") as forgetting:
        forgetting.execute("DELETE FROM win WHERE external_id = 'w2'")
    forgetting.close()
    less = await reconcile(park.settings, park.store, platform, day)
    missing = {
        "externalId": "w2",
        "kind": "MISSING_THERE",
        "ours": "GRANT 20 APPLIED",
        "theirs": None,
    }
    assert less == Reconciled(theirs=2, mine=1, differences=[missing])


async def test_receipts_are_asked_for_and_proved(park: Park) -> None:
    park.win("w1")
    await park.delivery().turn()
    platform = PlatformGateway(park.settings, httpx.AsyncClient(transport=park.line))
    told = await platform.query(RECEIPTS, externalIds=["w1", "nothing"])
    [receipt] = told["partner"]["receipts"]
    keys = await platform.public_keys()
    assert receipt["status"] == "APPLIED"
    assert receipt_is_signed(receipt, partner="wheelpark", keys=keys)
    assert not receipt_is_signed(receipt | {"status": "REJECTED"}, partner="wheelpark", keys=keys)
    assert not receipt_is_signed(receipt, partner="another", keys=keys)


async def test_an_event_that_is_no_good_holds_up_no_other(park: Park) -> None:
    park.store.add_event("VISIT", visitor="v" * 65)
    park.gateway.clock.advance(seconds=1)
    for visitor in ("v1", "v2"):
        park.store.add_event("VISIT", visitor=visitor)
    delivery = park.delivery()
    while await delivery.turn():
        pass
    assert park.store.unsent_events(count=9) == []
    [row] = await fetch_all("SELECT count(*) AS events FROM game_event")
    assert row["events"] == 2


async def test_a_webhook_counts_once_and_only_if_it_is_signed(park: Park) -> None:
    park.win("w1")
    app = build(replace(park.settings, clock=time.time), store=park.store)
    hook = Webhook(park.settings.webhook_secret)

    async def post(type_: str, *, webhook_id: str, signed: str | None = None) -> int:
        body = json.dumps({"type": type_, "data": {"externalIds": ["w1"]}})
        at = datetime.now(UTC)
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signed or hook.sign(webhook_id, at, body),
        }
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://game.test"
        ) as http:
            return (await http.post("/webhooks", content=body, headers=headers)).status_code

    async with app.router.lifespan_context(app):
        assert await post("reward.applied", webhook_id="m1", signed="v1,AAAA") == 401
        assert park.states()["w1"][0] == "NEW"
        assert await post("reward.applied", webhook_id="m1") == 204
        assert park.states()["w1"][0] == "APPLIED"
        assert await post("reward.reversed", webhook_id="m2") == 204
        assert park.states()["w1"][0] == "REVERSED"
        assert await post("reward.applied", webhook_id="m1") == 204
        assert park.states()["w1"][0] == "REVERSED", "it was heard before"
        assert await post("member.deleted", webhook_id="m3") == 204
