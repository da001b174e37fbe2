"""Two processes that race for one bucket are never given more than it holds."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

import pytest

from tests.closing import ClosingReport
from tests.conftest import part_is_missing
from tests.repository.tree import ROOT


async def racer(url: str, *, attempts: int, capacity: int) -> Process:
    arguments = ("-m", "tests.races.charging", url, str(attempts), str(capacity))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.soak
async def test_two_processes_are_given_no_more_than_there_is(
    redis_url: str,
    report: ClosingReport,
    tally: Callable[[str, int, int], None],
    full_form: bool,
) -> None:
    if redis_url == "memory://":
        part_is_missing(report, "redis", "two processes need one they share")
    attempts = 20_000 if full_form else 800
    racers = await asyncio.gather(
        *(racer(redis_url, attempts=attempts, capacity=attempts) for _ in range(2))
    )
    answers = await asyncio.gather(*(one.communicate(b"go\n") for one in racers))

    given = [int(answer) for answer, _ in answers]
    # One token a minute comes in while they run.
    assert attempts <= sum(given) <= attempts + 2, given
    # They did race: neither had it all before the other began.
    assert min(given) > 0, given
    tally("charges by two processes for one bucket", 2 * attempts, 2 * attempts)
