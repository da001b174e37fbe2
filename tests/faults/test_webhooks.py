"""Webhooks through kills of their senders: each is delivered at least once, under one id."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain import storage
from domain.access import KeyRing
from domain.games import webhook_consumer
from domain.outbox import Event, announce, drain
from domain.storage import fetch_all
from tests.closing import ClosingReport
from tests.domain.games.arcade import open_partner
from tests.domain.games.webhook_receiver import Hook, running_hook
from tests.repository.tree import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

MESSAGES, MESSAGES_SHORT = 2_000, 60
KILLS, KILLS_SHORT = 40, 6
AFTER_A_LEASE_S = 61


@pytest.mark.timeout(1_800)
async def test_no_webhook_is_lost_through_kills_of_the_sender(
    postgres_url: str,
    tmp_path: Path,
    report: ClosingReport,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    messages, kills = (MESSAGES, KILLS) if full_form else (MESSAGES_SHORT, KILLS_SHORT)
    keys, dice = tmp_path / "keys.json", random.Random(11)
    KeyRing(keys, now=datetime.now(UTC), create_missing=True)
    await storage.connect(postgres_url)
    with running_hook() as hook:
        await _lay_out(hook, messages)
        for number in range(kills):
            # Some are refused, and some are being answered when the sender dies.
            for _ in range(6):
                hook.will_answer(dice.choice([204, 500]))
            target = len(hook.told) + dice.randrange(1, 2 * messages // (3 * kills) + 1)
            async with _sender(postgres_url, keys, ahead_s=number * AFTER_A_LEASE_S) as process:
                await _until(lambda least=target: len(hook.told) >= least)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
                assert await process.wait() == -signal.SIGKILL
            hook.answers.clear()
        # What was refused has to wait for minutes by its own clock.
        ahead_s = kills * AFTER_A_LEASE_S + 3 * 3_600
        async with _sender(postgres_url, keys, ahead_s=ahead_s) as process:
            async with asyncio.timeout(600):
                assert await process.wait() == 0
        rows = await fetch_all("SELECT id, payload, state FROM webhook_delivery")
    await storage.close()
    expected = {f"msg_{row['id']}": row["payload"].encode() for row in rows}
    assert {row["state"] for row in rows} == {"DELIVERED"}
    assert len(expected) == messages
    assert {one.message_id: one.body for one in hook.told} == expected
    assert all(one.body == expected[one.message_id] for one in hook.told)
    again = len(hook.told) - messages
    report.notes.append(
        f"webhooks: {messages} messages through {kills} kill -9: none lost, {again} sent again"
    )
    tally("webhooks delivered through kill -9 of their sender", len(expected), messages)


async def _lay_out(hook: Hook, messages: int) -> None:
    partner = await open_partner("hooked", webhook_url=hook.url)
    now = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(messages):
        facts = {"partner_id": str(partner.account_id), "member_ref": f"gm_{number}"}
        await announce([Event(kind="MemberUnbound", member_id=None, facts=facts)], now=now)
        await drain([webhook_consumer()], clock=lambda: now)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a server in a thread tells nobody
            await asyncio.sleep(0.002)


@asynccontextmanager
async def _sender(
    url: str, keys: Path, *, ahead_s: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that sends, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.webhooking", url, str(keys), str(ahead_s)),
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
