"""Where the processor time of one home request goes, stage by stage."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from rich.table import Table

from benchmarks.home.answers import home_requests
from benchmarks.home.building import Sizes, build
from benchmarks.home.contestants import gateway_of
from benchmarks.home.flames import flame_graph
from benchmarks.home.loads import Loader
from benchmarks.home.reporting import RESULTS, markdown
from benchmarks.postgres import serving
from benchmarks.printing import console
from tests.servers import open_redis

OTHER: Final = "event loop, and what is left"

STAGES: Final = (
    ("domain/access/", "authentication"),
    ("domain/members/sessions.py", "authentication"),
    ("api/authentication.py", "authentication"),
    ("api/request_context.py", "authentication"),
    ("jwt/", "authentication"),
    ("api/stress/", "admission and deadlines"),
    ("api/rates/", "rates, by Redis"),
    ("redis/", "rates, by Redis"),
    ("schema/charging.py", "rates, by Redis"),
    ("resolvers/rates.py", "rates, by Redis"),
    ("api/persisted/", "document: finding, parsing, cost"),
    ("schema/documents.py", "document: finding, parsing, cost"),
    ("schema/document_costs.py", "document: finding, parsing, cost"),
    ("schema/cost", "document: finding, parsing, cost"),
    ("schema/field_costs.py", "document: finding, parsing, cost"),
    ("graphql/language/", "document: finding, parsing, cost"),
    ("graphql/validation/", "document: finding, parsing, cost"),
    ("api/graphql_answer.py", "JSON and answer"),
    ("api/compression.py", "JSON and answer"),
    ("strawberry/http/", "JSON and answer"),
    ("api/observability/", "logs, metrics, traces"),
    ("api/logs.py", "logs, metrics, traces"),
    ("structlog/", "logs, metrics, traces"),
    ("logging/", "logs, metrics, traces"),
    ("prometheus_client/", "logs, metrics, traces"),
    ("opentelemetry/", "logs, metrics, traces"),
    ("domain/storage/", "statements: driver and connections"),
    ("asyncpg/", "statements: driver and connections"),
    ("tortoise/", "statements: driver and connections"),
    ("domain/", "domain: rows to values"),
    ("resolvers/", "domain: rows to values"),
    ("schema/", "resolvers of fields"),
    ("api/execution/", "execution"),
    ("graphql/", "execution"),
    ("strawberry/", "execution"),
    ("api/", "HTTP: view and middleware"),
    ("starlette/", "HTTP: view and middleware"),
    ("uvicorn/", "HTTP: server"),
)
"""Of a stack the innermost frame that has a stage decides."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One request on average: milliseconds of the processor by stage, statements, waits."""

    requests: int
    stages_ms: Mapping[str, float]
    statements: float
    statements_ms: float
    waits_ms: float
    collecting_ms: float
    collection_ms_max: float
    stacks: Mapping[str, int]

    @property
    def whole_ms(self) -> float:
        """The processor time of a request."""
        return sum(self.stages_ms.values())

    def rows(self) -> list[list[str]]:
        """A line for each stage, the longest first."""
        ordered = sorted(self.stages_ms.items(), key=lambda one: -one[1])
        lines = [[name, f"{ms:.3f}", f"{ms / self.whole_ms:.0%}"] for name, ms in ordered]
        return [*lines, ["together", f"{self.whole_ms:.3f}", ""]]

    def note(self) -> str:
        """What waits, in words."""
        return (
            f"{self.statements:.1f} statements a request, {self.statements_ms:.2f} ms in all from "
            f"sending to the last row, {self.waits_ms:.2f} ms waiting for connections. "
            f"The garbage collector takes {self.collecting_ms:.2f} ms of the processor, within "
            f"the stages above, and {self.collection_ms_max:.0f} ms at once at the most. "
            f"{sum(self.stacks.values()):,} samples of {self.requests:,} requests."
        )


async def run(sizes: Sizes, seconds: float, *, connections: int = 4) -> None:
    """Print the budget, and write it and its flame graph into `benchmarks/results`."""
    budget = await measure(sizes, seconds, connections=connections)
    table = Table(title="The processor time of a home request, by stage", title_justify="left")
    for place, name in enumerate(("stage", "ms", "share")):
        table.add_column(name, justify="right" if place else "left")
    for row in budget.rows():
        table.add_row(*row)
    console.print(table)
    console.print(budget.note())
    RESULTS.mkdir(exist_ok=True)
    page = markdown(["stage", "ms", "share"], budget.rows())
    text = f"# The processor time of a home request\n\n{page}\n\n{budget.note()}\n\n"
    (RESULTS / "budget.md").write_text(f"{text}![Flame graph](budget.svg)\n", "utf-8")
    (RESULTS / "budget.svg").write_text(flame_graph(budget.stacks), "utf-8")


async def measure(sizes: Sizes, seconds: float, *, connections: int) -> Budget:
    """Load a gateway that samples itself."""
    with serving() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = folder / "samples"
        with server.databases.fresh() as url:
            town = await build(url, folder, sizes)
            loader = Loader(folder, home_requests(town))
            redis = open_redis()
            command = ("-m", "benchmarks.home.sampled", str(told))
            try:
                with gateway_of(town, folder, redis_url=redis.url, command=command) as gateway:
                    await loader.send(gateway.port, seconds=3, connections=connections)
                    os.kill(gateway.pid, signal.SIGUSR1)
                    load = await loader.send(gateway.port, seconds=seconds, connections=connections)
                    os.kill(gateway.pid, signal.SIGUSR2)
                    deadline = time.monotonic() + 10
                    while not told.exists():
                        assert time.monotonic() < deadline, gateway.log
                        await asyncio.sleep(0.01)
            finally:
                redis.close()
        return budget_of(told.read_bytes(), requests=load.requests)


def budget_of(told: bytes, *, requests: int) -> Budget:
    """The budget out of what the gateway wrote."""
    found = orjson.loads(told)
    stages: Counter[str] = Counter()
    for stack, number in found["stacks"].items():
        stages[stage_of(stack)] += number
    each_ms = found["processor_s"] * 1_000 / requests / stages.total()
    return Budget(
        requests=requests,
        stages_ms={name: number * each_ms for name, number in stages.items()},
        statements=sum(found["statements"].values()) / requests,
        statements_ms=found["statements_s"] * 1_000 / requests,
        waits_ms=found["waits_s"] * 1_000 / requests,
        collecting_ms=found["collecting_s"] * 1_000 / requests,
        collection_ms_max=found["collection_s_max"] * 1_000,
        stacks=found["stacks"],
    )


def stage_of(stack: str) -> str:
    """The stage of a stack, whose frames stand outermost first."""
    for frame in reversed(stack.split(";")):
        for beginning, stage in STAGES:
            if frame.startswith(beginning):
                return stage
    return OTHER
