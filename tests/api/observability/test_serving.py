"""Who may read the metrics, and where."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from api.observability.serving import serve_metrics
from api.observability.settings import MetricsSettings
from api.settings import Settings
from tests.api.gateway import development_settings, open_gateway, production_settings

TOKEN = "a-token-for-prometheus"


@pytest.mark.parametrize(
    ("environment", "metrics", "address", "authorization", "status"),
    [
        ("development", {}, "127.0.0.1", None, 200),
        ("development", {}, "::1", None, 200),
        ("development", {}, "192.0.2.7", None, 404),
        ("production", {}, "127.0.0.1", None, 404),
        ("production", {"token": TOKEN}, "127.0.0.1", None, 404),
        ("production", {"token": TOKEN}, "192.0.2.7", f"Bearer {TOKEN}", 200),
        ("production", {"token": TOKEN}, "192.0.2.7", f"Bearer {TOKEN}x", 404),
        ("production", {"token": TOKEN}, "192.0.2.7", f"Basic {TOKEN}", 404),
        ("production", {"addresses": ("192.0.2.0/24",)}, "192.0.2.7", None, 200),
        ("production", {"addresses": ("192.0.2.0/24",)}, "192.0.3.7", None, 404),
    ],
)
async def test_who_may_read_them(
    environment: str,
    metrics: dict[str, Any],
    address: str,
    authorization: str | None,
    status: int,
    tmp_path: Path,
) -> None:
    settings = production_settings if environment == "production" else development_settings
    headers = {"authorization": authorization} if authorization else {}
    async with (
        open_gateway(settings(metrics=MetricsSettings(**metrics)), tmp_path) as gateway,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(gateway.app, client=(address, 5)),
            base_url="http://gateway.test",
        ) as http,
    ):
        response = await http.get("/metrics", headers=headers)
        assert response.status_code == status
        assert ("jifen_" in response.text) == (status == 200)
        if status == 404:
            (error,) = response.json()["errors"]
            (nothing,) = (await http.get("/nothing")).json()["errors"]
            assert error["message"] == nothing["message"]


@contextmanager
def two_free_ports() -> Iterator[int]:
    """The first of two ports that were free a moment ago, and neighbours."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            first: int = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", first + 1))
            except OSError:
                continue
        yield first
        return


def test_each_worker_takes_a_port_of_its_own() -> None:
    with two_free_ports() as first:
        settings = MetricsSettings(port=first)
        one = serve_metrics(settings, workers=2)
        other = serve_metrics(settings, workers=2)
        third = serve_metrics(settings, workers=2)
        try:
            assert one is not None
            assert other is not None
            assert third is None, "no process fails for want of a port"
            assert (one.port, other.port) == (first, first + 1)
            for port in (one.port, other.port):
                answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
                assert "jifen_operations_in_flight" in answer.text
        finally:
            for server in (one, other):
                if server is not None:
                    server.close()
        again = serve_metrics(settings, workers=2)
        assert again is not None, "whoever comes after a worker that ended takes its port"
        assert again.port == first
        again.close()


def test_by_default_there_is_no_port() -> None:
    assert serve_metrics(MetricsSettings(), workers=1) is None


@pytest.mark.parametrize(
    "metrics", [{"token": SecretStr(TOKEN)}, {"addresses": (IPv4Network("10.0.0.0/8"),)}]
)
def test_several_workers_cannot_share_a_path(metrics: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="JIFEN_METRICS__PORT"):
        production_settings(workers=2, metrics=MetricsSettings(**metrics))


def test_a_token_is_no_short_one() -> None:
    with pytest.raises(ValidationError, match="token"):
        Settings(metrics={"token": "short"})  # type: ignore[arg-type]  # as the environment gives it
