"""SIGTERM under load: every answer is whole, and the process ends in time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.faults.load import REFUSED, TRUNCATED, UNANSWERED, Plan
from tests.faults.loading import Results, Running, http_request
from tests.faults.serving import SERVE, UVICORN, Serving
from tests.faults.town import Town

ROUNDS: Final = 30
ROUNDS_SHORT: Final = 3
IN_FLIGHT: Final = 50
DRAIN_S: Final = 10.0
ENDED_WITHIN_S: Final = DRAIN_S + 2.0

HOW: Final = (
    (SERVE, "1"),
    (UVICORN, "1"),
    (SERVE, "2"),
)
"""How the gateway is served, by turns: the command, and how many workers."""

ALL_LET_IN: Final = {"JIFEN_STRESS__BURST_S_MAX": "3"}
"""All fifty are to be in flight, in the queue or at work, rather than refused."""

WHOLE: Final = {"ok", "OVERLOADED", "DEADLINE_EXCEEDED"}
"""Answers; the last two on a machine that is busy with something else."""

Tally = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One end of a gateway."""

    sent: Results
    terminated_at: float
    ended_after_s: float
    in_flight: int


@pytest.mark.faults
@pytest.mark.quiet
@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_terminated_with_fifty_requests_in_flight(
    town: Town, redis_url: str, tmp_path: Path, *, full_form: bool, tally: Tally
) -> None:
    rounds = []
    for number in range(ROUNDS if full_form else ROUNDS_SHORT):
        command, workers = HOW[number % len(HOW)]
        with Serving(
            town,
            tmp_path,
            redis_url=redis_url,
            command=command,
            environment={"JIFEN_WORKERS": workers, **ALL_LET_IN},
        ) as gateway:
            rounds.append(await terminate(gateway, town, tmp_path))
    outcomes = sum((one.sent.outcomes for one in rounds), Counter[str]())
    ended = sorted(one.ended_after_s for one in rounds)
    print(
        f"\n{len(rounds)} ends, {min(one.in_flight for one in rounds)} or more in flight at each:"
        f" {dict(outcomes)}; ended after {ended[0]:.1f} to {ended[-1]:.1f} s"
    )
    assert outcomes[TRUNCATED] == 0
    assert outcomes.keys() <= {*WHOLE, REFUSED, UNANSWERED}
    for one in rounds:
        assert one.in_flight >= IN_FLIGHT * 0.9
        assert one.ended_after_s <= ENDED_WITHIN_S
        # Whoever had asked by then is answered; only newcomers are turned away, before a byte.
        met = one.sent.where(lambda sent, one=one: sent.at < one.terminated_at)  # type: ignore[misc]
        assert met.outcomes.keys() <= WHOLE, met.outcomes
    tally("ends with 50 requests in flight", len(rounds), ROUNDS if full_form else ROUNDS_SHORT)
    tally(
        "whole answers given after SIGTERM", sum(one.in_flight for one in rounds), 45 * len(rounds)
    )


async def terminate(gateway: Serving, town: Town, folder: Path) -> Round:
    """Keep fifty requests in flight, end the gateway meanwhile, and see both out."""
    plan = Plan(
        port=gateway.port,
        requests=town.home_requests(),
        connections=IN_FLIGHT,
        seconds=20,
        stop_refused=True,
    )
    async with Running(folder, plan) as running:
        await asyncio.sleep(1.5)
        terminated_at = gateway.terminate()
        began = time.monotonic()
        await asyncio.to_thread(gateway.ended)
        ended_after_s = time.monotonic() - began
        sent = await running.results()
    in_flight = sent.where(lambda one: one.at < terminated_at < one.at + one.seconds)
    return Round(sent, terminated_at, ended_after_s, len(in_flight))


@pytest.mark.faults
@pytest.mark.quiet
async def test_what_would_last_longer_is_ended_with_the_drain(
    town: Town, redis_url: str, tmp_path: Path
) -> None:
    """A shop's body that never ends has ten seconds; the drain, here, has two."""
    drain = {"JIFEN_STRESS__DRAIN_S": "2", "JIFEN_LIMITS__BATCH_BODY_S_MAX": "20"}
    for command in (SERVE, UVICORN):
        with Serving(
            town, tmp_path, redis_url=redis_url, command=command, environment=drain
        ) as gateway:
            whole = http_request("{ __typename }", token=town.shop_token)
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(whole[:-5].encode())
            # One more connection that asks for nothing, and one that never reads its answer.
            idle = await asyncio.open_connection("127.0.0.1", gateway.port)
            await asyncio.sleep(0.3)
            gateway.terminate()
            began = time.monotonic()
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 504 ")
            assert b'"DEADLINE_EXCEEDED"' in answer
            assert 1.5 < time.monotonic() - began < 3.0
            status = await asyncio.to_thread(gateway.ended)
            assert time.monotonic() - began <= 4.0
            assert status in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
            for one in (writer, idle[1]):
                one.close()


@pytest.mark.faults
@pytest.mark.quiet
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_readiness_ends_at_once_and_connections_are_refused_soon(
    town: Town, redis_url: str, tmp_path: Path, workers: str
) -> None:
    environment = {"JIFEN_WORKERS": workers}
    with Serving(town, tmp_path, redis_url=redis_url, environment=environment) as gateway:
        # A request holds the workers back, so that what new connections meet can be seen.
        held = http_request("{ __typename }", token=town.member_tokens[0])[:-5].encode()
        writers = [(await asyncio.open_connection("127.0.0.1", gateway.port))[1] for _ in range(8)]
        for writer in writers:
            writer.write(held)
        await asyncio.sleep(0.3)
        gateway.terminate()
        began, seen = time.monotonic(), list[str]()
        while time.monotonic() - began < 2.0:
            seen.append(await readiness(gateway))
            await asyncio.sleep(0.03)
        assert list(dict.fromkeys(seen)) in (
            ["ready", "draining", "refused"],
            ["draining", "refused"],
        ), seen
        for writer in writers:
            writer.close()
        await asyncio.to_thread(gateway.ended)


async def readiness(gateway: Serving) -> str:
    """What `/readyz` says, over a connection of its own."""
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=1) as http:
        try:
            answer = await http.get("/readyz")
        except httpx.TransportError:
            return "refused"
        status: str = answer.json()["status"]
        return status
