"""Asking WeChat about texts in the background, for as long as there are some."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import structlog

from api.observability.metrics import TEXT_CHECKS
from api.opening import connect_redis, open_wechat
from api.settings import Settings
from domain import feedback
from domain.clock import Clock
from domain.feedback import TextChecking
from domain.storage import StorageFault

log = structlog.get_logger("jifen.work")


class TextChecker:
    """Asks about what is due. Other processes may do the same: leases keep them apart."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin nothing more. What is under way ends by itself."""
        self._stopping.set()

    async def run(self) -> None:
        """Ask until stopped, whatever fails meanwhile."""
        settings = self._settings
        async with AsyncExitStack() as opened:
            redis = connect_redis(settings.redis_url)
            opened.push_async_callback(redis.aclose)
            wechat = open_wechat(settings, redis=redis)
            opened.push_async_callback(wechat.aclose)
            checking = TextChecking(
                wechat=wechat, clock=self._clock.now, at_once=settings.work.text_checks_at_once
            )
            while not self._stopping.is_set():
                await self._take_turn(checking)
                with suppress(TimeoutError):
                    async with asyncio.timeout(settings.work.poll_s):
                        await self._stopping.wait()

    async def _take_turn(self, checking: TextChecking) -> None:
        try:
            turn = await feedback.check_texts(checking, stopping=self._stopping.is_set)
        except StorageFault as fault:
            log.warning("text_checks_failed", error=type(fault).__name__, reason=str(fault))
        except Exception:
            log.exception("text_checks_failed")
        else:
            TEXT_CHECKS.labels("settled").inc(turn.settled)
            TEXT_CHECKS.labels("put_off").inc(turn.put_off)
