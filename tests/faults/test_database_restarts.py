"""The database is restarted again and again under load: the gateway recovers by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.faults.load import Plan
from tests.faults.loading import Results, Running
from tests.faults.serving import PATIENT, Serving
from tests.faults.town import assert_sound, settle
from tests.servers import OwnPostgres, OwnRedis

RESTARTS: Final = 20
RESTARTS_SHORT: Final = 2
RECOVERED_WITHIN_S: Final = 5.0
RATE: Final = 10.0
"""Requests per second, every other one a write: each restart is met by some."""

CALM_S: Final = 3.0
AWAY_S: Final = 0.5
SAID: Final = frozenset({"ok", "OVERLOADED", "DEADLINE_EXCEEDED"})

Tally = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Restart:
    """One restart (time.time): when it began, and when the database answered again."""

    began_at: float
    answers_at: float


@pytest.mark.faults
@pytest.mark.quiet
@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_the_database_restarts_under_load(
    own_postgres: OwnPostgres,
    own_database: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    restarts = RESTARTS if full_form else RESTARTS_SHORT
    town = await settle(own_database, tmp_path)
    before = await assert_sound(town)
    seconds = restarts * (CALM_S + AWAY_S + 1.5) + CALM_S
    writes = list(town.purchases(int(RATE * seconds) // 2, prefix="restarts"))
    reads = town.home_requests()
    mixed = [one for pair in zip(writes, _round(reads, len(writes)), strict=True) for one in pair]
    with Serving(town, tmp_path, redis_url=own_redis.url, environment=PATIENT) as gateway:
        plan = Plan(port=gateway.port, requests=mixed, seconds=seconds, rate=RATE)
        async with Running(tmp_path, plan) as running:
            history = [await restart(own_postgres) for _ in range(restarts)]
            sent = await running.results()
        after = await ready_again(gateway)
        assert gateway.logged("internal_error") == []

    ends = [*(one.began_at for one in history[1:]), float("inf")]
    recovered = [recovery_s(sent, one, until=end) for one, end in zip(history, ends, strict=True)]
    failed = sent.where(lambda one: one.outcome != "ok")
    print(
        f"\n{restarts} restarts, {len(sent)} requests: {dict(sent.outcomes)}; recovered after"
        f" {', '.join(f'{one:.2f}' for one in recovered)} s"
    )
    assert sent.outcomes.keys() <= SAID, "whatever fails says so, and that it may be sent again"
    assert max(recovered) <= RECOVERED_WITHIN_S
    assert after == 200
    tally("restarts of the database recovered from unaided, within 5 s", len(recovered), restarts)
    tally("requests that met a database that was away", len(failed), restarts)
    # What was acknowledged is there, once; what was not may be there, once.
    recorded = await assert_sound(town) - before
    acknowledged = len(sent.ok.where(lambda one: one.number % 2 == 0))
    assert acknowledged <= recorded <= len(writes)
    tally("purchases acknowledged while the database came and went", acknowledged, 10 * restarts)


async def restart(server: OwnPostgres) -> Restart:
    """Let it serve for a while, then end it in order and start it again."""
    await asyncio.sleep(CALM_S)
    pid, began_at = server.process.pid, time.time()
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(server.start_again)
    assert server.process.pid != pid
    return Restart(began_at, time.time())


def recovery_s(sent: Results, restart: Restart, *, until: float) -> float:
    """How long after the database answered again the last request was sent that failed."""
    during = sent.between(restart.began_at, until)
    assert len(during.ok) > 0
    last = max((one.at for one in during.sent if one.outcome != "ok"), default=None)
    assert last is not None, "a request met the restart"
    return max(last - restart.answers_at, 0.0)


async def ready_again(gateway: Serving) -> int:
    """The status of `/readyz`."""
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=5) as http:
        return (await http.get("/readyz")).status_code


def _round(requests: list[str], number: int) -> list[str]:
    return [requests[index % len(requests)] for index in range(number)]
