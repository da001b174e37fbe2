"""What `make game` says and does beside the wheel: starting up, the operator's orders, the app."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

import demo
from domain import games
from domain.games import AddPartnerKey, KeyKind
from tests.domain.access.fixtures import OPERATOR
from tests.domain.games.arcade import open_partner
from tests.examples.park import Park
from tests.graphql.gateway import NOW, Gateway
from tests.repository.tree import ROOT
from tests.run.running import free_ports
from tests.streaming.serving import serving
from wheelpark import signing
from wheelpark.members_app import members_app
from wheelpark.settings import Settings, private_key
from wheelpark.store import Store, Win


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The program with these arguments: its status, what it printed, what it complained of."""
    program = ROOT / "examples" / "partner-game" / "demo.py"
    own = ("--demo", folder / "demo.json", "--folder", folder / "game")
    ended = subprocess.run(
        [sys.executable, program, *own, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def told(folder: Path, port: int) -> None:
    """The file that `make run` writes, of a gateway on this port."""
    content = {
        "graphqlUrl": f"http://127.0.0.1:{port}/graphql",
        "partnerCode": "wheelpark",
        "gameCampaignId": "campaign",
        "partnerSigningSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "staffToken": "staff",
        "memberToken": "member",
    }
    (folder / "demo.json").write_text(json.dumps(content))


def test_without_a_demo_it_says_what_to_start(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    missing = (
        f"{file} is not there: start `make run` in another terminal, and wait until it serves.\n"
    )
    assert run(tmp_path) == (1, "", missing)
    file.write_text("{")
    assert run(tmp_path) == (1, "", f"{file} cannot be read: run `make run` again.\n")
    file.write_text("{}")
    assert run(tmp_path) == (1, "", f"{file} lacks 'graphqlUrl': run `make run` again.\n")
    [port, _] = free_ports()
    told(tmp_path, port)
    silent = (
        f"No gateway answers at http://127.0.0.1:{port}: start `make run` in another terminal,"
        " and wait until it serves.\n"
    )
    assert run(tmp_path) == (1, "", silent)


def test_the_operator_sees_what_was_set_aside_and_sends_it_again(tmp_path: Path) -> None:
    told(tmp_path, 1)
    assert run(tmp_path, "--set-aside") == (0, "", "")
    assert run(tmp_path, "--take-back", "w1") == (1, "", "w1 is no win whose points arrived.\n")
    refused = run(tmp_path, "--send-again", "b1")
    assert refused == (1, "", "b1 is no batch that was set aside.\n")

    store = Store(tmp_path / "game" / "wheelpark.db")
    player = store.player("ref")
    win = demo_win(player)
    assert store.add_win(win, since=datetime.now(UTC), spins_max=1)
    found = store.next_batch(items_max=1, campaign_id="c", at=store.clock())
    assert found is not None
    store.set_aside(found[0], "BATCH_REFUSED: no good")
    assert run(tmp_path, "--set-aside") == (0, f"{found[0]} (w1): BATCH_REFUSED: no good\n", "")
    assert run(tmp_path, "--send-again", found[0]) == (0, "", "")
    assert run(tmp_path, "--set-aside") == (0, "", "")
    assert store.next_batch(items_max=1, campaign_id="c", at=store.clock()) == found

    store.hear("m1", "reward.applied", external_ids=["w1"], state="APPLIED")
    status, printed, _ = run(tmp_path, "--take-back", "w1")
    assert (status, printed) == (
        0,
        f"{store.take_back('w1')} takes w1 back, as soon as the game is served.\n",
    )


def demo_win(player: str) -> Win:
    """A win of this very moment."""
    return Win(
        external_id="w1",
        player_id=player,
        prize_code="points-5",
        title="5 积分",
        points=5,
        disclosure_version="1",
        won_at="9999-01-01T00:00:00Z",
    )


def test_only_the_older_key_of_a_full_kind_is_in_the_way() -> None:
    def key(id_: str, kind: str = "JWT", retires_at: str | None = None) -> dict[str, Any]:
        return {"id": id_, "kind": kind, "publicKey": f"whpk_{id_}", "retiresAt": retires_at}

    def found(*keys: dict[str, Any]) -> list[str]:
        return demo.in_the_way(keys, kind="JWT", public_key="whpk_mine", now=NOW)

    over = (NOW - timedelta(seconds=1)).isoformat()
    soon = (NOW + timedelta(seconds=1)).isoformat()
    assert found() == []
    assert found(key("b")) == []
    assert found(key("c"), key("b")) == ["b"]
    assert found(key("c"), key("b", retires_at=soon)) == ["b"]
    assert found(key("c"), key("b", retires_at=over)) == []
    assert found(key("c"), key("b", "ED25519")) == []
    assert found(key("c"), key("mine")) == []


async def test_a_folder_may_be_lost_again_and_again(own_gateway: Gateway, tmp_path: Path) -> None:
    partner = await open_partner("wheelpark")
    staff = await own_gateway.staff()
    own = AddPartnerKey(code="wheelpark", kind=KeyKind.HMAC)
    await games.add_partner_key(own, by=OPERATOR, now=NOW)
    publics = []
    async with serving(own_gateway.app) as host:
        for folder in ("one", "two", "three", "four", "four"):
            key = private_key(tmp_path / folder / "key.pem")
            publics.append(signing.public_text(key))
            settings = Settings(
                gateway_url=f"http://{host}",
                partner="wheelpark",
                campaign_id="campaign",
                key=key,
                webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                folder=tmp_path / folder,
            )
            await asyncio.to_thread(
                demo.set_up, settings, staff_token=staff, address="http://127.0.0.1:8420"
            )
            own_gateway.clock.advance(seconds=1)
    now = own_gateway.clock.now()
    for kind in (KeyKind.ED25519, KeyKind.JWT):
        keys = [one for one in await games.keys_of(partner.account_id) if one.kind is kind]
        assert [one.public_key for one in keys] == publics[:4]
        assert [one.counts(now) for one in keys] == [False, False, True, True]
    found = await games.find_partner("wheelpark")
    assert found is not None
    assert found.webhook_url == "http://127.0.0.1:8420/webhooks"


async def test_the_members_app_says_that_the_gateway_is_away_and_logs_it_once(
    park: Park, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(park.gateway.app) as host:
        app = Starlette(
            routes=members_app(
                gateway_url=f"http://{host}",
                member_token=park.session.access_token,
                partner="wheelpark",
            )
        )
        browser = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://game.test")
        home = (await browser.get("/app/home")).json()
        assert home["me"]["points"] == {"available": 0}
        played = (await browser.post("/app/play")).json()["createGameBinding"]
        assert played["userErrors"] == []
    away = {"message": "积分服务暂时连不上，正在重试…"}
    for method, path in [("GET", "/app/home"), ("POST", "/app/play"), ("GET", "/app/points")] * 2:
        answer = await browser.request(method, path)
        assert (answer.status_code, answer.json()) == (503, away)
    lines = [one.getMessage() for one in caplog.records if one.name == "wheelpark"]
    assert len(lines) == 1
    assert lines[0].startswith(f"the gateway at http://{host}/graphql is out of reach: ")
    assert all(one.exc_info is None for one in caplog.records if one.name == "wheelpark")
    await browser.aclose()


async def test_the_members_app_says_that_its_sign_in_is_over(own_gateway: Gateway) -> None:
    async with serving(own_gateway.app) as host:
        app = Starlette(
            routes=members_app(gateway_url=f"http://{host}", member_token="no", partner="wheelpark")
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://game.test"
        ) as browser:
            for path in ("/app/home", "/app/points"):
                answer = await browser.get(path)
                assert answer.status_code == 503
                assert "登录已过期" in answer.json()["message"]


async def test_the_stream_of_an_open_page_ends_with_the_game(own_gateway: Gateway) -> None:
    session = await own_gateway.sign_in()
    async with serving(own_gateway.app) as host:
        app = Starlette(
            routes=members_app(
                gateway_url=f"http://{host}",
                member_token=session.access_token,
                partner="wheelpark",
                is_ending=lambda: True,
            )
        )
        async with (
            asyncio.timeout(20),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://game.test"
            ) as browser,
        ):
            answer = await browser.get("/app/points")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
