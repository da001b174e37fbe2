"""Several workers: each tells of itself on a port of its own, and Prometheus adds them up."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.observability.test_serving import two_free_ports
from tests.faults.serving import UVICORN, Serving
from tests.faults.town import Town

pytestmark = pytest.mark.faults

ASKED = 40
SECONDS_MAX = 30


def metrics_of(port: int) -> dict[str, float]:
    """What the worker at this port tells: how often it answered `/livez`, and when it began."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {
        "answered": sum(
            one.value
            for one in samples
            if one.name == "jifen_http_requests_total" and one.labels["route"] == "/livez"
        ),
        "started": next(one.value for one in samples if one.name == "process_start_time_seconds"),
        "connections": next(
            one.value
            for one in samples
            if one.name == "jifen_database_connections" and one.labels["state"] == "open"
        ),
    }


def both(ports: tuple[int, int]) -> list[dict[str, float]]:
    """What both workers tell, once both do."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            return [metrics_of(port) for port in ports]
        except (httpx.TransportError, StopIteration):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_two_workers_on_two_ports(town: Town, tmp_path: Path, redis_url: str) -> None:
    if redis_url == "memory://":
        pytest.skip("several workers need a shared Redis")
    with two_free_ports() as first:
        ports = (first, first + 1)
    serving = Serving(
        town,
        tmp_path,
        redis_url=redis_url,
        command=(*UVICORN, "--workers", "2"),
        JIFEN_WORKERS="2",
        JIFEN_METRICS__PORT=str(first),
    )
    with serving:
        before = both(ports)
        assert all(one["connections"] >= 1 for one in before)
        for _ in range(ASKED):
            # A connection each, or one worker would answer them all.
            assert httpx.get(f"{serving.url}/livez", trust_env=False).status_code == 200
        after = both(ports)
        assert sum(one["answered"] for one in after) == ASKED
        shared = httpx.get(f"{serving.url}/metrics", trust_env=False)
        assert shared.status_code == 404, "it would tell of whoever happens to answer"

        killed = _workers_of(serving.pid)[0]
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + SECONDS_MAX
        while {one["started"] for one in both(ports)} == {one["started"] for one in after}:
            assert time.monotonic() < deadline, serving.log
            time.sleep(0.05)
        renewed = both(ports)
        assert len({one["started"] for one in renewed}) == 2, "its successor took its port"


def _workers_of(pid: int) -> list[int]:
    """The processes below the supervisor that serve."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
