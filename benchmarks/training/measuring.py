"""One training in a process of its own, and what is served from it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from domain import members, recommendations, storage
from domain.recommendations import Method, Surface, recommended
from domain.storage import observed_statements

ROOT: Final = Path(__file__).parents[2]
SERVED: Final = 10
_ASKED: Final = 200
"""So many members are served, one after the other."""

_LOOKED_EACH_S: Final = 0.05
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What one training came to.

    `took_s` is of the whole process, `stages` of its parts in seconds. `peak_mb` is the most memory
    that was resident. `statements` are the most that one answer of ten took, `served_ms` how long
    it took: half of the answers, and the longest.
    """

    method: Method
    listed: int
    took_s: float
    stages: Mapping[str, float]
    peak_mb: float
    statements: int
    served_ms: tuple[float, float]


async def measure(url: str, method: Method) -> Training:
    """Train by the command, then serve some members from what it wrote."""
    began = perf_counter()
    peak_mb = await _trained(url, method)
    took_s = perf_counter() - began
    await storage.connect(url)
    try:
        statements, served_ms = await _served()
        (model,) = await recommendations.recommendation_models(first=1)
    finally:
        await storage.close()
    assert model.figures is not None, "the command ended well"
    return Training(
        method=method,
        listed=model.figures["listed_members"],
        took_s=took_s,
        stages=model.figures["seconds"],
        peak_mb=peak_mb,
        statements=statements,
        served_ms=served_ms,
    )


async def _trained(url: str, method: Method) -> float:
    """Run the command to its end; returns the most memory that it had, in MB."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api.cli", "recommendations", "train", "--method", method.value),
        env={
            **os.environ,
            "DATABASE_URL": url,
            "PYTHONPATH": str(ROOT),
            # Another training, on what was bought a month ago: it would be counted in.
            "JIFEN_RECOMMENDATIONS__HOLD_OUT_DAYS": "0",
        },
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    ended = asyncio.create_task(process.communicate())
    peak_kb = 0
    while not ended.done():
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        await asyncio.wait([ended], timeout=_LOOKED_EACH_S)
    output, _ = await ended
    if process.returncode:
        sys.exit(f"recommendations train: {output.decode()}")
    return peak_kb / 1024


def _peak_kb(pid: int) -> int:
    """The kernel's own record, which only grows; 0 once the process is gone."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) if found else 0


async def _served() -> tuple[int, tuple[float, float]]:
    """How many statements one answer takes at most; half and the longest of the times, in ms."""
    took, statements = [], 0
    for member_id in await members.standing_ids(after=None, limit=_ASKED):
        with observed_statements() as seen:
            began = perf_counter()
            found = await recommended(
                member_id, surface=Surface.HOME, first=SERVED, now=datetime.now(UTC)
            )
            took.append((perf_counter() - began) * 1000)
        assert found.personalized, member_id
        assert len(found.items) == SERVED, member_id
        statements = max(statements, len(seen))
    return statements, (median(took), max(took))
