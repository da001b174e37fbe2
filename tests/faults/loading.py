"""Loads, as tests order them: plans for `tests.faults.load`, and what came of them."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import orjson

from tests.faults.load import Plan, Sent
from tests.repository.tree import ROOT

_NUMBERS = count(1)


def http_request(
    query: str, variables: dict[str, Any] | None = None, *, token: str | None = None
) -> str:
    """A whole POST of a GraphQL request."""
    body = orjson.dumps({"query": query, "variables": variables}).decode()
    head = [
        "POST /graphql HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body.encode())}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join([*head, "", body])


@dataclass(frozen=True, slots=True)
class Results:
    """What became of the requests of a load, or of some of them."""

    sent: Sequence[Sent]

    def where(self, chosen: Callable[[Sent], bool]) -> Results:
        """Some of them."""
        return Results([one for one in self.sent if chosen(one)])

    def between(self, began: float, ended: float) -> Results:
        """Those that were sent in that time (time.time)."""
        return self.where(lambda one: began <= one.at < ended)

    @property
    def ok(self) -> Results:
        """Those that succeeded."""
        return self.where(lambda one: one.outcome == "ok")

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(one.outcome for one in self.sent)

    def quantile(self, share: float) -> float:
        """The seconds within which that share of them was answered; 0.99 for p99."""
        ordered = sorted(one.seconds for one in self.sent)
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else 0.0

    def __len__(self) -> int:
        return len(self.sent)


class Running:
    """A load under way, in its own process. Ended with the block if it has not ended."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        number = next(_NUMBERS)
        self._plan, self._result = folder / f"plan-{number}", folder / f"result-{number}"
        self._plan.write_bytes(orjson.dumps(asdict(plan)))

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.load", str(self._plan), str(self._result)),
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def results(self) -> Results:
        """Wait for its end."""
        assert await self._process.wait() == 0
        return Results([Sent(**one) for one in orjson.loads(self._result.read_bytes())])


async def load(folder: Path, **plan: Any) -> Results:
    """Run a plan to its end."""
    async with Running(folder, Plan(**plan)) as running:
        return await running.results()
