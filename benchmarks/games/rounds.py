"""Rounds of one batch each: over HTTP, in process, and by raw SQL in four manners, in turn."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from benchmarks.games.pushes import BATCH, command_of, request_of
from benchmarks.games.rows import Watch, Written
from benchmarks.games.stall import Stall, open_stall
from benchmarks.ledger.recording import Sent, recording, replay
from benchmarks.postgres import Server, connected
from benchmarks.printing import Rounds, console
from domain.games import push_rewards
from tests.faults.serving import Serving
from tests.servers import open_redis

ROUNDS: Final = 20
WARM: Final = 4
"""Rounds before the clock counts, for everybody."""

GOAL: Final = 0.5

HTTP, IN_PROCESS, SAME_SQL, INSERTS, COPIES = "http", "in process", "same", "inserts", "copies"
ENVIRONMENT: Final = {"JIFEN_WORK__IN_PROCESS": "false"}


@dataclass(frozen=True, slots=True)
class Contest:
    """The contestants, each with a database of its own, all the same at the beginning."""

    stall: Stall
    http: httpx.AsyncClient
    watch: Watch
    same: asyncpg.Connection[Any]
    inserts: asyncpg.Connection[Any]
    copies: asyncpg.Connection[Any]

    async def round(self, number: int) -> dict[str, float]:
        """The seconds of each with the batch of this number."""
        seconds = {HTTP: await self._over_http(number)}
        seconds[IN_PROCESS], sent = await self._in_process(number)
        began = time.perf_counter()
        await replay(self.same, sent)
        seconds[SAME_SQL] = time.perf_counter() - began
        written = await self.watch.written()
        for name, connection in ((INSERTS, self.inserts), (COPIES, self.copies)):
            began = time.perf_counter()
            await _write(connection, written, by_copy=name == COPIES)
            seconds[name] = time.perf_counter() - began
        return seconds

    async def _over_http(self, number: int) -> float:
        body, headers = request_of(self.stall, number)
        began = time.perf_counter()
        response = await self.http.post("/graphql", content=body, headers=headers)
        took = time.perf_counter() - began
        payload = response.json()["data"]["pushRewards"]
        assert payload["batch"]["counts"]["applied"] == BATCH, payload
        return took

    async def _in_process(self, number: int) -> tuple[float, Sequence[Sent]]:
        command = command_of(self.stall, number)
        began = time.perf_counter()
        with recording() as sent:
            batch = await push_rewards(command, keys=self.stall.keys, now=datetime.now(UTC))
        took = time.perf_counter() - began
        assert batch.counts.applied == BATCH
        return took, sent


async def _write(
    connection: asyncpg.Connection[Any], written: Sequence[Written], *, by_copy: bool
) -> None:
    async with connection.transaction():
        for one in written:
            await (one.copy(connection) if by_copy else one.insert(connection))


async def compare_pushes(server: Server, folder: Path) -> list[Rounds]:
    """Items per second of each, round by round, ours beside every peer."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    with server.databases.fresh() as url:
        async with connected(url):
            stall = await open_stall(url, folder)
        redis = open_redis()
        try:
            async with AsyncExitStack() as stack:
                peers = []
                for _ in range(3):
                    copy = stack.enter_context(server.copy(url))
                    peers.append(await asyncpg.connect(copy))
                    stack.push_async_callback(peers[-1].close)
                mine = stack.enter_context(server.copy(url))
                gateway = stack.enter_context(
                    Serving(stall.town, folder, redis_url=redis.url, environment=ENVIRONMENT)
                )
                watched = await asyncpg.connect(mine)
                stack.push_async_callback(watched.close)
                await stack.enter_async_context(connected(mine))
                http = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=30)
                await stack.enter_async_context(http)
                contest = Contest(stall, http, await Watch.begin(watched), *peers)
                for number in range(ROUNDS + WARM):
                    if number == WARM:
                        used_s = gateway.processor_s
                    for name, seconds in (await contest.round(number)).items():
                        rates[name].append(BATCH / seconds)
                used_s = gateway.processor_s - used_s
        finally:
            redis.close()
    each_ms = used_s * 1_000 / ROUNDS
    rows = {one.table: len(one.rows) for one in contest.watch.last}
    assert rows["reward_item"] == rows["points_entry"] == BATCH
    console.print(
        f"A batch of {BATCH} takes {each_ms:.0f} ms of the gateway's processor, and writes "
        f"{sum(rows.values()):,} rows of {len(rows)} tables.\n"
    )
    return _rows({name: each[WARM:] for name, each in rates.items()})


def _rows(rates: dict[str, list[float]]) -> list[Rounds]:
    http, here = f"batches of {BATCH} over HTTP, signed", f"batches of {BATCH}, in process"
    inserts, copies = "one INSERT a table, same rows", "COPY, same rows"
    same = "same SQL and rows"
    return [
        Rounds(http, rates[HTTP], rates[INSERTS], inserts, GOAL),
        Rounds(http, rates[HTTP], rates[COPIES], copies),
        Rounds(http, rates[HTTP], rates[SAME_SQL], same),
        Rounds(here, rates[IN_PROCESS], rates[INSERTS], inserts),
        Rounds(here, rates[IN_PROCESS], rates[SAME_SQL], same),
        Rounds(http, rates[HTTP], rates[IN_PROCESS], "in process"),
    ]
