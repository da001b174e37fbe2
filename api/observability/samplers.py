"""What is measured by looking now and then: the event loop, the pool, the queue, the outbox.

Whoever reads the metrics may do so in another thread, so nothing is asked when they are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from api.observability.metrics import (
    ADMISSION_QUEUE,
    CONNECTIONS,
    LEDGER_FROZEN,
    LOOP_LAG_SECONDS,
    OUTBOX_LAG,
    OUTBOX_PARKED,
    OUTBOX_UNDELIVERED,
)
from domain import ledger, storage
from domain.outbox import outbox_status

log = structlog.get_logger("jifen.metrics")

LOOP_EVERY_S: Final = 0.5
POOL_EVERY_S: Final = 0.5
OUTBOX_EVERY_S: Final = 15.0
LEDGER_EVERY_S: Final = 15.0


async def sample_loop(queued: Callable[[], int], *, every_s: float = LOOP_EVERY_S) -> None:
    """Measure how late the loop wakes this task, and how many queue. Endless."""
    loop = asyncio.get_running_loop()
    while True:
        asked_at = loop.time()
        await asyncio.sleep(every_s)
        LOOP_LAG_SECONDS.observe(max(loop.time() - asked_at - every_s, 0.0))
        ADMISSION_QUEUE.set(queued())


async def sample_pool() -> None:
    """Look at the connections of this process now and then. Endless."""
    while True:
        sample_connections()
        await asyncio.sleep(POOL_EVERY_S)


def sample_connections() -> None:
    """Look at the connections of this process."""
    statistics = storage.connection_statistics()
    CONNECTIONS.labels("open").set(statistics["open"])
    CONNECTIONS.labels("in_use").set(statistics["open"] - statistics["idle"])


async def sample_outbox(now: Callable[[], datetime]) -> None:
    """Look at the outbox now and then. Endless; a database that is away is asked again later."""
    while True:
        try:
            await sample_outbox_once(now())
        except Exception as failure:
            log.warning("outbox_not_sampled", reason=repr(failure))
        await asyncio.sleep(OUTBOX_EVERY_S)


async def sample_outbox_once(now: datetime) -> None:
    """Look at the outbox. Raises StorageFault."""
    status = await outbox_status()
    OUTBOX_UNDELIVERED.set(status.undelivered)
    OUTBOX_LAG.set(status.lag_s(now))
    OUTBOX_PARKED.set(status.parked)


async def sample_ledger() -> None:
    """Look for frozen accounts now and then. Endless; a database that is away is asked again."""
    while True:
        try:
            LEDGER_FROZEN.set(await ledger.frozen_accounts())
        except Exception as failure:
            log.warning("ledger_not_sampled", reason=repr(failure))
        await asyncio.sleep(LEDGER_EVERY_S)
