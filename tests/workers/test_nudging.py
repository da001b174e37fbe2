"""A commit nudges the workers: soon, seldom, and never at the cost of a request."""

from __future__ import annotations

import asyncio

import pytest
from taskiq.exceptions import SendTaskError

from api.workers import nudging as nudging_module
from api.workers.nudging import Nudger, nudging
from domain.storage import inside_transaction, transaction
from tests.domain.outbox.listening import tell


class Queue:
    """A queue that counts, may be out of order, and may keep whoever sends waiting."""

    def __init__(self) -> None:
        self.sent = self.fallbacks = 0
        self.works = True
        self.sent_once = asyncio.Event()
        self.fell_back = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.inside: list[bool] = []

    async def send(self) -> None:
        self.inside.append(inside_transaction())
        await self.open.wait()
        if not self.works:
            raise SendTaskError
        self.sent += 1
        self.sent_once.set()

    def fall_back(self) -> None:
        self.fallbacks += 1
        self.fell_back.set()


@pytest.mark.usefixtures("database")
async def test_commits_are_nudged_from_outside_their_transaction() -> None:
    queue = Queue()

    async def work() -> None:
        await tell("A")
        # The nudger has its turns while the transaction is open.
        for _ in range(5):
            await asyncio.sleep(0)
        assert queue.inside == []

    async with nudging(Nudger(queue.send)):
        await transaction(work)
        await asyncio.wait_for(queue.sent_once.wait(), 5)
    assert queue.inside == [False]
    await tell("B")
    assert queue.sent == 1


@pytest.mark.usefixtures("database")
async def test_a_queue_that_hangs_keeps_nobody_waiting_and_many_commits_are_one_nudge() -> None:
    queue = Queue()
    queue.open.clear()
    async with nudging(Nudger(queue.send)):
        for _ in range(50):
            await tell("A")
        assert (queue.inside, queue.sent) == ([False], 0)
        queue.open.set()
        await asyncio.wait_for(queue.sent_once.wait(), 5)
        queue.sent_once.clear()
        # One more for all that was committed meanwhile.
        await asyncio.wait_for(queue.sent_once.wait(), 5)
        assert queue.sent == 2


@pytest.mark.usefixtures("database")
async def test_a_queue_that_fails_is_left_in_peace_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nudging_module, "QUIET_S", 0)
    queue = Queue()
    queue.works = False
    nudger = Nudger(queue.send, otherwise=queue.fall_back)
    task = asyncio.create_task(nudger.run())
    for n in range(1, 6):
        nudger.hear(frozenset())
        await asyncio.wait_for(queue.fell_back.wait(), 5)
        queue.fell_back.clear()
        assert queue.fallbacks == n
    assert len(queue.inside) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
