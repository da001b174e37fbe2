"""How many functions a home request calls: a figure for regressions, which no noise changes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.home.answers import answers
from benchmarks.home.contestants import GATEWAY, Contestant, gateway_of
from tests.faults.town import Town

WARM: Final = 12
"""So many requests come first: what is compiled or kept at the first uses is there after them."""

COUNTED: Final = 40
_TOLD_WITHIN_S: Final = 30


async def calls_each(
    town: Town, folder: Path, *, redis_url: str, environment: Mapping[str, str] | None = None
) -> float:
    """Calls for one home request on average, of those that come one after the other."""
    file = folder / "calls"
    file.unlink(missing_ok=True)
    command = ("-m", "benchmarks.home.counted", str(file))
    with gateway_of(
        town, folder, redis_url=redis_url, environment=environment, command=command
    ) as gateway:
        one = Contestant(GATEWAY, gateway.port, gateway.pid)
        [token] = town.member_tokens[:1]
        await asyncio.to_thread(answers, one, [token] * WARM)
        os.kill(gateway.pid, signal.SIGUSR1)
        await asyncio.to_thread(answers, one, [token] * COUNTED)
        os.kill(gateway.pid, signal.SIGUSR2)
        deadline = time.monotonic() + _TOLD_WITHIN_S
        while not file.exists():
            assert time.monotonic() < deadline, gateway.log
            await asyncio.sleep(0.01)
    return int(file.read_text()) / COUNTED
