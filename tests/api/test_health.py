"""Liveness, readiness, public keys, the SDL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from api.health import Check
from tests.api.gateway import Gateway, Parts, development_settings, open_gateway
from tests.schema.sample import build_sample


async def works() -> None:
    """Answers at once."""


async def fails() -> None:
    """Cannot be reached."""
    raise ConnectionRefusedError("postgres://user:secret@db/jifen")


async def hangs() -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def test_the_process_lives_whatever_fails(tmp_path: Path) -> None:
    parts = Parts(checks=(Check("database", hangs),))
    async with open_gateway(development_settings(), tmp_path, parts) as gateway:
        response = await gateway.http.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("database", "redis", "status", "said", "outcomes"),
    [
        (works, works, 200, "ready", {"database": "ok", "redis": "ok"}),
        (works, fails, 200, "degraded", {"database": "ok", "redis": "failed"}),
        (works, hangs, 200, "degraded", {"database": "ok", "redis": "timeout"}),
        (fails, works, 503, "unavailable", {"database": "failed", "redis": "ok"}),
        (hangs, hangs, 503, "unavailable", {"database": "timeout", "redis": "timeout"}),
    ],
)
async def test_readiness_names_what_fails_and_not_why(
    tmp_path: Path,
    database: object,
    redis: object,
    status: int,
    said: str,
    outcomes: dict[str, str],
) -> None:
    parts = Parts(
        checks=(
            Check("database", database),  # type: ignore[arg-type]  # one of the probes above
            Check("redis", redis, required=False),  # type: ignore[arg-type]  # one of the probes above
        )
    )
    async with open_gateway(development_settings(), tmp_path, parts) as gateway:
        started_at = time.perf_counter()
        with capture_logs():
            response = await gateway.http.get("/readyz")
        seconds = time.perf_counter() - started_at
    assert response.status_code == status
    assert response.json() == {"status": said, "checks": outcomes}
    assert response.headers["cache-control"] == "no-store"
    # The probes run side by side, twice 200 ms each.
    assert seconds < 0.75


class Unsteady:
    """Misses so many times, in this way, and then works."""

    def __init__(self, miss: Callable[[], Awaitable[None]], *, times: int) -> None:
        self.miss, self.times = miss, times

    async def __call__(self) -> None:
        self.times -= 1
        if self.times >= 0:
            await self.miss()


@pytest.mark.parametrize(
    ("miss", "times", "said", "outcome"),
    [
        (hangs, 1, "ready", "ok"),
        (fails, 1, "ready", "ok"),
        (hangs, 2, "unavailable", "timeout"),
        (fails, 2, "unavailable", "failed"),
    ],
)
async def test_only_the_second_miss_of_a_check_counts(
    tmp_path: Path, miss: Callable[[], Awaitable[None]], times: int, said: str, outcome: str
) -> None:
    parts = Parts(checks=(Check("database", Unsteady(miss, times=times)),))
    async with open_gateway(development_settings(), tmp_path, parts) as gateway:
        with capture_logs():
            response = await gateway.http.get("/readyz")
    assert response.status_code == (200 if outcome == "ok" else 503)
    assert response.json() == {"status": said, "checks": {"database": outcome}}


async def test_without_checks_the_gateway_is_ready(gateway: Gateway) -> None:
    response = await gateway.http.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": {}})


async def test_the_public_keys_are_served(gateway: Gateway) -> None:
    response = await gateway.http.get("/.well-known/jwks.json")
    assert response.json() == gateway.keys.jwks()
    assert [set(key) for key in response.json()["keys"]] == [
        {"kty", "crv", "x", "kid", "alg", "use"}
    ]
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=300"


async def test_the_sdl_is_served_to_developers(gateway: Gateway) -> None:
    response = await gateway.http.get("/schema.graphql")
    assert response.text == build_sample().as_str() + "\n"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


async def test_production_serves_the_sdl_to_those_who_bring_a_token(production: Gateway) -> None:
    refused = await production.http.get("/schema.graphql")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="jifen"'
    assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    bad = await production.http.get("/schema.graphql", headers={"authorization": "Bearer x"})
    assert bad.json()["errors"][0]["extensions"]["reason"] == "invalid"
    served = await production.http.get("/schema.graphql", headers=production.token())
    assert served.text == build_sample().as_str() + "\n"
