"""Single postings: the ledger's, a mutation's over HTTP, and pgbench with the SQL of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

from benchmarks.ledger.accounts import open_accounts, town_of
from benchmarks.ledger.postings import earn_once, hold_once, redeem_once
from benchmarks.ledger.recording import Sent, recording
from benchmarks.ledger.scripts import KEY, RECORDED, member_id, script_of
from benchmarks.postgres import Server, connected
from benchmarks.printing import Compared, console
from tests.faults.loading import http_request, load
from tests.faults.serving import Serving
from tests.graphql.gateway import global_id
from tests.graphql.operations import operation
from tests.servers import open_redis

SECONDS: Final = 2.0
ROUNDS: Final = 3
"""The contestants take turns, so that a slow minute of the machine is everybody's."""

MEMBERS: Final = 2_000
OURS: Final = range(len(RECORDED) + 1, MEMBERS // 2)
PEERS: Final = range(MEMBERS // 2, MEMBERS)
CLIENTS: Final = (1, 8)
GOAL: Final = 0.3

_NUMBERS = count(1)

Contestant = Callable[[], Awaitable[float]]
Work = Callable[[UUID, str], Awaitable[object]]


async def compare_singles(server: Server, folder: Path) -> list[Compared]:
    """Postings in process and a mutation over HTTP, each beside pgbench."""
    rows: list[Compared] = []
    with server.databases.fresh() as url:
        async with connected(url):
            town = await town_of(url, folder)
            await open_accounts(MEMBERS)
            kinds = (earn_once, redeem_once, hold_once)
            earn, redeem, hold = [
                script_of(await _recorded(kind, member), members=PEERS)
                for kind, member in zip(kinds, RECORDED, strict=True)
            ]
            for clients in CLIENTS:
                for name, work, script in (
                    ("earn", earn_once, earn),
                    ("redeem", redeem_once, redeem),
                ):
                    ours, peer = await _in_turn(
                        partial(_posting, work, clients),
                        partial(server.pgbench, url, script, clients=clients, seconds=SECONDS),
                    )
                    what = f"{name}, in process, {clients} at once"
                    rows.append(Compared(what, ours, peer, "pgbench, same SQL"))
        redis = open_redis()
        environment = {"JIFEN_WORK__IN_PROCESS": "false"}
        try:
            with Serving(town, folder, redis_url=redis.url, environment=environment) as gateway:
                began_s = gateway.processor_s
                ours, peer = await _in_turn(
                    partial(_holding, gateway.port, town.shop_token, folder),
                    partial(server.pgbench, url, hold, clients=CLIENTS[-1], seconds=SECONDS),
                )
                used_s = gateway.processor_s - began_s
        finally:
            redis.close()
        each_ms = used_s * 1_000 / (ours * SECONDS * ROUNDS)
        console.print(f"A holdPoints takes {each_ms:.1f} ms of the gateway's processor.\n")
        what = f"holdPoints over HTTP, one worker, {CLIENTS[-1]} at once"
        rows.append(Compared(what, ours, peer, "pgbench, same SQL", GOAL))
    return rows


async def _in_turn(ours: Contestant, peer: Contestant) -> tuple[float, float]:
    """The median rate of each over the rounds."""
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for contestant, own in zip((ours, peer), rates, strict=True):
            own.append(await contestant())
    return median(rates[0]), median(rates[1])


async def _recorded(work: Work, member: UUID) -> Sequence[Sent]:
    with recording() as sent:
        await work(member, f"{KEY}-{work.__name__}")
    return sent


async def _posting(work: Work, clients: int) -> float:
    """Postings per second by so many tasks at once."""
    done = 0
    began = time.perf_counter()

    async def client() -> None:
        nonlocal done
        while time.perf_counter() - began < SECONDS:
            await work(member_id(random.choice(OURS)), f"ours-{next(_NUMBERS)}")
            done += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    return done / (time.perf_counter() - began)


async def _holding(port: int, token: str, folder: Path) -> float:
    """Mutations answered per second, from a load generator in a process of its own."""
    text = operation("HoldPoints")
    requests = []
    for _ in range(int(SECONDS * 1_500)):
        key = f"held-{next(_NUMBERS)}"
        fields = {
            "member": {"id": global_id("Member", member_id(random.choice(OURS)))},
            "points": 2,
            "reference": key,
            "idempotencyKey": key,
        }
        requests.append(http_request(text, {"input": fields}, token=token))
    results = await load(
        folder, port=port, requests=requests, seconds=SECONDS, connections=CLIENTS[-1]
    )
    assert len(results) < len(requests), "no request is sent twice"
    assert set(results.outcomes) == {"ok"}, results.outcomes
    return len(results) / SECONDS
