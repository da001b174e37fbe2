"""The server of the example's wheel: who plays, how often, at what odds, and what it hears."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
from standardwebhooks.webhooks import Webhook

from tests.domain.ledger.commands import SHANGHAI
from tests.examples.park import Park
from tests.graphql.gateway import NOW
from wheelpark.campaign import Campaign
from wheelpark.server import SPINS_A_DAY, build
from wheelpark.store import Win
from wheelpark.wheel import NOTHING, Prize


@asynccontextmanager
async def browsing(park: Park) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with its cookies, at the wheel."""
    app = build(park.settings, store=park.store, transport=park.line)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://game.test"
        ) as browser,
    ):
        yield browser


def test_days_are_those_of_the_programme() -> None:
    campaign = Campaign(prizes=(), version="1", frozen_at="", zone=ZoneInfo("Asia/Shanghai"))
    before = datetime(2026, 3, 1, 15, 59, 59, 999_999, UTC).timestamp()
    begun = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    assert campaign.day_begins(before) == begun - timedelta(days=1)
    assert campaign.day_begins(begun.timestamp()) == begun


def test_the_fields_are_the_prizes_and_what_is_left_over() -> None:
    def campaign(*odds_ppm: int) -> Campaign:
        prizes = tuple(
            Prize(code=f"points-{odds}", title=f"{odds}", points=odds, odds_ppm=odds, count=9)
            for odds in odds_ppm
        )
        return Campaign(prizes=prizes, version="3", frozen_at="2026-03-01T00:00:00Z", zone=SHANGHAI)

    some = campaign(500_000, 12_345)
    assert some.told() == {
        "fields": [
            {"title": "500000", "points": 500_000, "oddsPpm": 500_000, "count": 9},
            {"title": "12345", "points": 12_345, "oddsPpm": 12_345, "count": 9},
            {"title": "谢谢参与", "points": 0, "oddsPpm": 487_655, "count": None},
        ],
        "version": "3",
        "frozenAt": "2026-03-01T00:00:00Z",
    }
    assert [some.place_of(one) for one in (*some.prizes, NOTHING)] == [0, 1, 2]
    assert len(campaign(1_000_000).fields) == 1, "where something is always won there is no blank"


async def test_whoever_looks_sees_what_the_gateway_disclosed(park: Park) -> None:
    async with browsing(park) as browser:
        told = (await browser.get("/api/wheel")).json()
    assert told["fields"] == [{"title": "20 积分", "points": 20, "oddsPpm": 1_000_000, "count": 9}]
    assert told["version"] == "1"
    assert datetime.fromisoformat(told["frozenAt"]) == NOW


async def test_the_day_has_so_many_spins_until_midnight_of_the_programme(park: Park) -> None:
    async with browsing(park) as browser:
        browser.cookies.set("player", park.player)
        for spun in range(SPINS_A_DAY):
            told = (await browser.post("/api/spin")).json()
            assert told["spinsLeft"] == SPINS_A_DAY - spun - 1
            assert told["place"] == 0
        over = await browser.post("/api/spin")
        assert (over.status_code, over.json()["message"]) == (
            429,
            "今天的次数用完了，明天零点后再来。",
        )
        midnight = datetime.combine(
            NOW.astimezone(SHANGHAI).date() + timedelta(days=1), datetime.min.time(), SHANGHAI
        )
        left = midnight - park.gateway.clock.now()
        park.gateway.clock.advance(seconds=left.total_seconds() - 1)
        assert (await browser.post("/api/spin")).status_code == 429
        park.gateway.clock.advance(seconds=1)
        assert (await browser.post("/api/spin")).json()["spinsLeft"] == SPINS_A_DAY - 1


async def test_the_first_moment_of_a_day_counts_as_that_day(park: Park) -> None:
    begins = park.gateway.clock.now()
    park.win("w1")
    assert park.store.spins_since(park.player, begins) == 1
    assert park.store.spins_since(park.player, begins + timedelta(microseconds=1)) == 0
    other = Win(
        external_id="w2",
        player_id=park.player,
        prize_code="points-20",
        title="20 积分",
        points=20,
        disclosure_version="1",
        won_at=park.store.now_text(),
    )
    assert park.store.add_win(other, since=begins, spins_max=1) is False
    assert list(park.states()) == ["w1"]


async def test_who_brings_a_bad_token_is_nobody_whoever_played_here_before(park: Park) -> None:
    async with browsing(park) as browser:
        browser.cookies.set("player", park.player, domain="game.test")
        known = await browser.post("/api/enter", json={"bindToken": None})
        assert known.status_code == 200
        refused = await browser.post("/api/enter", json={"bindToken": "gbt_nothing"})
        assert refused.status_code == 403
        assert "失效" in refused.json()["message"]
        assert "player" not in browser.cookies
        assert (await browser.post("/api/spin")).status_code == 401
        assert (await browser.post("/api/enter", json={})).status_code == 401
    assert park.states() == {}, "nothing was won for anybody"


async def test_who_brings_a_token_that_nobody_answers_for_is_nobody_either(park: Park) -> None:
    async with browsing(park) as browser:
        browser.cookies.set("player", park.player, domain="game.test")
        await browser.get("/api/wheel")
        park.line.lost = 1
        later = await browser.post("/api/enter", json={"bindToken": "gbt_nothing"})
        assert (later.status_code, later.json()["message"]) == (503, "网络开小差了，请稍后再试。")
        assert "player" not in browser.cookies


async def test_a_token_makes_a_player_of_whom_it_names(park: Park) -> None:
    given = {"partnerCode": "wheelpark", "consent": True, "idempotencyKey": "k1"}
    allowed = await park.gateway.send("CreateGameBinding", park.session.access_token, input=given)
    async with browsing(park) as browser:
        other = park.store.player("somebody-else")
        browser.cookies.set("player", other, domain="game.test")
        token = allowed["binding"]["bindToken"]
        entered = await browser.post("/api/enter", json={"bindToken": token})
        assert entered.json() == {"wins": [], "spinsLeft": SPINS_A_DAY, "pointsArrived": 0}
        assert browser.cookies["player"] == park.player


async def test_a_webhook_counts_once_and_only_if_it_is_signed(park: Park) -> None:
    park.win("w1")
    await park.delivery().turn()
    back = park.store.take_back("w1")
    assert back is not None
    app = build(replace(park.settings, clock=time.time), store=park.store, transport=park.line)
    hook = Webhook(park.settings.webhook_secret)

    async def post(type_: str, id_: str, *, webhook_id: str, signed: str | None = None) -> int:
        body = json.dumps({"type": type_, "data": {"externalIds": [id_]}})
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
        assert await post("reward.reversed", back, webhook_id="m1", signed="v1,AAAA") == 401
        assert await post("reward.reversed", "w1", webhook_id="m2") == 204
        assert park.states()["w1"][0] == "APPLIED", "the id is the reversal's, not the win's"
        assert await post("reward.reversed", back, webhook_id="m1") == 204
        assert park.states()["w1"][0] == "REVERSED"
        assert await post("reward.applied", "w1", webhook_id="m3") == 204
        assert park.states()["w1"][0] == "REVERSED", "they come in any order"
        assert await post("member.deleted", "w1", webhook_id="m4") == 204
