"""What the gateway serves beside GraphQL: its health, its keys, its schema."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.settings import DatabaseSettings
from domain import storage
from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.graphql import conftest
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.repository.tree import ROOT
from tests.servers import OwnPostgres, find_binaries
from tests.servers.apart import run_apart

gateway = conftest.own_gateway

ASKED_MAX = 20


async def test_the_schema_is_served_as_it_is_kept(gateway: Gateway) -> None:
    response = await gateway.http.get("/schema.graphql")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.content == (ROOT / "schema" / "schema.graphql").read_bytes()


async def test_no_more_connections_are_opened_than_the_settings_say(
    postgres_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    settings = settings_for(postgres_url, tmp_path, fake).model_copy(
        update={"database": DatabaseSettings(connections_min=2, connections_max=3)}
    )
    async with open_gateway(settings, fake):
        assert storage.connection_statistics() == {"open": 2, "idle": 2}
        await asyncio.gather(*(storage.fetch_one("SELECT pg_sleep(0.01)") for _ in range(6)))
        assert storage.connection_statistics()["open"] == 3


async def test_tokens_verify_against_the_served_keys(gateway: Gateway) -> None:
    """As a partner would do it who knows nothing but the address."""
    session = await gateway.sign_in()

    response = await gateway.http.get("/.well-known/jwks.json")

    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=300"
    (key,) = response.json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}, "no private part"
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    header = jwt.get_unverified_header(session.access_token)
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": key["kid"]}
    claims = jwt.decode(
        session.access_token,
        jwt.PyJWK(key),
        algorithms=["EdDSA"],
        audience="jifen:member",
        issuer="https://jifen.example",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["sub"] == str(session.member)
    assert claims["exp"] == NOW.timestamp() + 15 * 60
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "jti", "sid"}


async def test_tokens_outlive_a_rotation_of_the_keys(gateway: Gateway) -> None:
    before = await gateway.sign_in()
    keys = gateway.tokens.keys
    keys.rotate(gateway.clock.now())
    gateway.clock.advance(minutes=15)
    refreshed = await gateway.sign_in()
    keys.rotate(gateway.clock.now())
    after = await gateway.sign_in()

    tokens = [session.access_token for session in (before, refreshed, after)]
    kids = [jwt.get_unverified_header(token)["kid"] for token in tokens]
    assert kids[0] == kids[1] != kids[2]
    for token in tokens[1:]:
        response = await gateway.ask("{ me { id } }", token=token)
        assert response.json() == {"data": {"me": {"id": before.member_id}}}
    served = (await gateway.http.get("/.well-known/jwks.json")).json()["keys"]
    assert {key["kid"] for key in served} == set(kids)


async def test_a_gateway_that_serves_is_alive_and_ready(gateway: Gateway) -> None:
    alive = await gateway.http.get("/livez")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})

    ready = await readiness(gateway)
    assert ready.headers["cache-control"] == "no-store"
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "redis": "ok"},
    }


async def test_without_redis_it_is_ready_and_says_that_it_is_degraded(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    settings = settings_for(sqlite_url, tmp_path, fake)
    settings = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with open_gateway(settings, fake) as gateway:
        ready = await readiness(gateway)
        assert ready.status_code == 200
        assert ready.json() == {
            "status": "degraded",
            "checks": {"database": "ok", "migrations": "ok", "redis": "failed"},
        }
        read = await gateway.ask("{program{currency}}")
        assert read.json() == {"data": {"program": {"currency": "CNY"}}}
        # How often somebody tries to sign in cannot be known, so nobody may.
        code = await gateway.login()
        given = {"input": {"appId": DEMO_APP_ID, "code": code}}
        refused = await gateway.ask(operation("SignInWithWeChat"), given)
        assert (refused.status_code, refused.json()["data"]) == (503, {"signInWithWeChat": None})
        assert refused.json()["errors"][0]["extensions"]["code"] == "OVERLOADED"


async def test_a_database_that_lacks_a_migration_is_not_ready(
    tmp_path: Path, fake: RunningFake
) -> None:
    settings = settings_for(f"sqlite://{tmp_path / 'empty.db'}", tmp_path, fake)
    async with open_gateway(settings, fake) as gateway:
        ready = await readiness(gateway)
        assert ready.status_code == 503
        assert ready.json() == {
            "status": "unavailable",
            "checks": {"database": "ok", "migrations": "failed", "redis": "ok"},
        }


@pytest.fixture
def own_postgres(report: ClosingReport) -> Iterator[OwnPostgres]:
    """A server of this test's own, which it may stop."""
    binaries = next(iter(find_binaries()), None)
    if binaries is None:
        part_is_missing(report, "postgresql", "no binaries")
    with closing(OwnPostgres(binaries)) as server:
        yield server


async def test_a_database_that_goes_away_is_told_and_found_again(
    own_postgres: OwnPostgres, tmp_path: Path, fake: RunningFake
) -> None:
    url = own_postgres.url("postgres")
    run_apart(lambda: migrate(url))
    async with open_gateway(settings_for(url, tmp_path, fake), fake) as gateway:
        session = await gateway.sign_in()
        assert (await readiness(gateway)).status_code == 200

        own_postgres.process.stop()
        assert (await readiness(gateway)).status_code == 503
        assert (await gateway.http.get("/livez")).status_code == 200
        masked(await gateway.ask("{ program { name } }"))
        masked(await gateway.ask("{ me { id } }", token=session.access_token))

        own_postgres._start(own_postgres.port)  # `start` would take another port.
        assert (await readiness(gateway)).status_code == 200
        response = await gateway.ask("{ me { id } }", token=session.access_token)
        assert response.json() == {"data": {"me": {"id": session.member_id}}}


async def migrate(url: str) -> None:
    await storage.connect(url)
    try:
        await storage.migrate()
    finally:
        await storage.close()


async def readiness(gateway: Gateway) -> httpx.Response:
    """What `/readyz` says; asked again where this machine was too busy to probe in 200 ms."""
    for _ in range(ASKED_MAX):
        response = await gateway.http.get("/readyz")
        if "timeout" not in response.json()["checks"].values():
            break
    return response


def masked(response: httpx.Response) -> Any:
    """Told to try again, coded, and nothing about what is behind it."""
    (error,) = response.json()["errors"]
    assert error["message"] == "The service is busy; send the same again in a moment."
    assert error["extensions"].pop("retryAfter") in {1, 2, 3}
    assert error["extensions"] == {
        "code": "OVERLOADED",
        "retryable": True,
        "requestId": response.headers["x-request-id"],
    }
    for secret in ("127.0.0.1", "asyncpg", "Traceback"):
        assert secret not in response.text
