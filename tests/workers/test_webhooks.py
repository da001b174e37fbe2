"""Webhooks as background work: soon, and nobody waits for a partner who is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.custody.settings import CustodySettings
from api.observability.metrics import WEBHOOKS
from api.settings import Settings
from api.workers.jobs import recurring_jobs
from api.workers.running import working
from api.workers.settings import WorkSettings
from api.workers.webhooks import WebhookSender
from domain.access import KeyRing
from domain.clock import Clock
from domain.games import WebhookState, webhook_consumer
from domain.outbox import Event, announce
from domain.storage import fetch_all
from tests.domain.access import fixtures as access
from tests.domain.games.hooked import Hooked, open_hooked
from tests.domain.games.webhook_receiver import HANG, running_hook
from tests.graphql.gateway import StandingClock

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what needs no statement of its own."""

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def sending(key_path: Path, **work: Any) -> AsyncIterator[WebhookSender]:
    """A sender that runs during the block."""
    settings = Settings(key_set_path=key_path, work=WorkSettings(poll_s=0.01, **work))
    sender = WebhookSender(settings, clock=StandingClock(NOW))
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        sender.stop()
        async with asyncio.timeout(10):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a server in a thread tells nobody
            await asyncio.sleep(0.005)


async def states(hooked: Hooked) -> list[WebhookState]:
    return [one.state for one in await hooked.deliveries()]


async def test_what_happens_is_told_by_whoever_works(ring: KeyRing, key_path: Path) -> None:
    custody = CustodySettings(files_path=Path("/nonexistent"), erasures_path=Path("/nonexistent/e"))
    settings = Settings(
        key_set_path=key_path,
        redis_url="memory://",
        work=WorkSettings(poll_s=0.05),
        custody=custody,
    )
    with running_hook() as hook:
        hooked = await open_hooked(ring, hook.url, now=NOW)
        facts = {"partner_id": str(hooked.id), "member_ref": "gm_a"}
        async with working(settings, clock=Clock(), consumers=[webhook_consumer()]):
            event = Event(kind="MemberUnbound", member_id=None, facts=facts)
            await announce([event], now=Clock().now())
            # Days are reconciled meanwhile, and the partner is told of them as well.
            await until(lambda: any(told.data == {"memberRefs": ["gm_a"]} for told in hook.told))
        assert {told.headers["jifen-key-id"] for told in hook.told} == {ring.signing_key().kid}


async def test_a_slow_partner_holds_up_nobody_but_itself(ring: KeyRing, key_path: Path) -> None:
    taken = WEBHOOKS.labels("taken")._value.get()
    with running_hook() as slow, running_hook() as quick:
        for _ in range(4):
            slow.will_answer(HANG)
        sluggish = await open_hooked(ring, slow.url, now=NOW, code="a-sluggish")
        await sluggish.tell(*"abcdef")
        prompt = await open_hooked(ring, quick.url, now=NOW, code="prompt")
        await prompt.tell(*(str(number) for number in range(8)))
        async with sending(key_path):
            await until(lambda: len(quick.told) == 8)
            # All that one partner gets at once waits there; the rest of theirs has not begun.
            await until(lambda: len(slow.told) == 4)
            await until(lambda: not slow.answers)
            slow.released.set()
        assert await states(prompt) == ["DELIVERED"] * 8
        assert sorted(quick.ids) == sorted(one.message_id for one in await prompt.deliveries())
        # Who hangs up has not taken it; whatever was under way was written down at the end.
        assert (await states(sluggish)).count(WebhookState.PENDING) >= 4
    assert WEBHOOKS.labels("taken")._value.get() >= taken + 8


@ONE_DATABASE
async def test_who_waits_longest_begins_where_there_is_no_room_for_all(
    ring: KeyRing, key_path: Path
) -> None:
    with running_hook() as first, running_hook() as second:
        late = await open_hooked(ring, second.url, now=NOW, code="a-late")
        await late.tell("x")
        early = await open_hooked(ring, first.url, now=NOW - timedelta(hours=1), code="early")
        first.will_answer(HANG)
        await early.tell("x")
        async with sending(key_path, webhook_partners_max=1):
            await until(lambda: len(first.told) == 1)
            assert second.told == []
            first.released.set()
            await until(lambda: len(second.told) == 1)


@ONE_DATABASE
async def test_nothing_is_opened_while_nothing_is_to_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "none" / "keys.json"
    async with sending(path):
        await asyncio.sleep(0)
    assert not path.exists()


@ONE_DATABASE
async def test_old_deliveries_are_forgotten_by_a_job(ring: KeyRing) -> None:
    with running_hook() as hook:
        hooked = await open_hooked(ring, hook.url, now=NOW)
        await hooked.tell("a")
    clock = StandingClock(NOW + timedelta(days=30))
    jobs = {job.name: job for job in recurring_jobs(WorkSettings(), clock=clock)}
    assert await jobs["forget-webhooks"].run() == 0
    clock.advance(seconds=1)
    assert await jobs["forget-webhooks"].run() == 1
    assert list(await fetch_all("SELECT id FROM webhook_delivery")) == []
