"""Delivering the outbox in the background: when told to, and each second whether told or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from time import perf_counter

import structlog

from api.workers.settings import WorkSettings
from domain.clock import Clock
from domain.outbox import Consumer, drain, is_due
from domain.storage import StorageFault

log = structlog.get_logger("jifen.work")

_SLOW_S = 1.0


class Drainer:
    """Drains the outbox in one task of this process.

    Other processes may do the same: leases keep them apart. Nothing but the database is needed.
    """

    def __init__(self, consumers: Sequence[Consumer], *, clock: Clock, work: WorkSettings) -> None:
        self._consumers = consumers
        self._clock = clock
        self._work = work
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look at once. Any number of calls while it is busy are one."""
        self._woken.set()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Drain until stopped, whatever fails meanwhile."""
        while not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._work.poll_s):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._drain()
            except StorageFault as fault:
                log.warning("drain_failed", error=type(fault).__name__, reason=str(fault))
                await asyncio.sleep(self._work.poll_s)
            except Exception:
                log.exception("drain_failed")
                await asyncio.sleep(self._work.poll_s)

    async def _drain(self) -> None:
        if self._stopping or not await is_due(now=self._clock.now()):
            return
        started_at = perf_counter()
        delivered = await drain(
            self._consumers,
            clock=self._clock.now,
            limits=self._work.delivery,
            stopping=lambda: self._stopping,
        )
        took_s = perf_counter() - started_at
        tell = log.info if took_s > _SLOW_S else log.debug
        tell("outbox_drained", **asdict(delivered), duration_ms=round(took_s * 1_000, 1))
