"""The import commands as processes, as whoever imports runs them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from domain import storage
from domain.ledger import Never
from domain.purchases import EarningRule, publish_rule
from tests.domain.access.fixtures import NOW

_SUMMARY = re.compile(
    r"(?P<rows>[\d,]+) rows: (?P<imported>[\d,]+) imported, (?P<known>[\d,]+) there already, "
    r"(?P<rejected>[\d,]+) rejected, (?P<orders>[\d,]+) orders, (?P<points>[\d,]+) points; "
    r"(?P<rate>[\d,]+) rows/s"
)
_RECORDED = re.compile(rb"recording: ([\d,]+) of ")
_ROOT = Path(__file__).parents[2]

LIFETIME = EarningRule(code="lifetime", version=1, permille_per_yuan=1_000, expiry=Never())
"""One point per yuan, for ever: the real files are years old."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import of purchases says at its end; lines and orders and points of this run."""

    rows: int
    imported: int
    known: int
    rejected: int
    orders: int
    points: int
    rate: int


async def publish_lifetime_rule(url: str) -> None:
    await storage.connect(url)
    try:
        await publish_rule(LIFETIME, now=NOW)
    finally:
        await storage.close()


async def start(url: str, *arguments: str | Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(_ROOT)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api.cli", *map(str, arguments)),
        env=environment,
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def run(url: str, *arguments: str | Path, status: int = 0) -> str:
    """Run a command to its end; returns what it printed."""
    process = await start(url, *arguments)
    output, _ = await process.communicate()
    assert process.returncode == status, output.decode()
    return output.decode()


async def import_purchases(url: str, file: Path, *options: str | Path) -> Summary:
    """Import purchases to the end; returns the summary."""
    output = await run(url, "import-purchases", file, *options)
    found = _SUMMARY.search(output)
    assert found is not None, output
    return Summary(**{name: int(text.replace(",", "")) for name, text in found.groupdict().items()})


async def kill_import_after(url: str, file: Path, *options: str | Path, rows: int) -> int:
    """Import, and kill -9 once so many rows are recorded; returns how many were, as it said."""
    process = await start(url, "import-purchases", file, *options)
    assert process.stdout is not None
    recorded = 0
    while recorded < rows:
        line = await process.stdout.readline()
        assert line, "the import ended before it could be killed"
        if said := _RECORDED.search(line):
            recorded = int(said[1].replace(b",", b""))
    process.kill()
    assert await process.wait() < 0
    return recorded
