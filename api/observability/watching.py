"""What watches while a process serves: opened after its services, closed before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from api.observability.samplers import sample_ledger, sample_loop, sample_outbox, sample_pool
from api.observability.serving import serve_metrics
from api.observability.statements import StatementWatcher
from api.settings import Settings
from domain import storage

if TYPE_CHECKING:
    from api.observability.spans import Spans

SYSTEMS: Final = {"postgres": "postgresql", "sqlite": "sqlite"}
"""What OpenTelemetry calls the databases."""


@asynccontextmanager
async def watching(settings: Settings, *, queued: Callable[[], int]) -> AsyncIterator[Spans | None]:
    """Watch this process inside the block; gives what makes spans, where traces are on.

    `queued` tells how many requests wait to be let in.
    """
    async with AsyncExitStack() as stack:
        server = serve_metrics(settings.metrics, workers=settings.workers)
        if server is not None:
            stack.push_async_callback(asyncio.to_thread, server.close)
        spans = await _opened_spans(settings, stack)
        _run_beside(stack, sample_loop(queued))
        yield spans


@asynccontextmanager
async def watching_storage(*, now: Callable[[], datetime]) -> AsyncIterator[None]:
    """Watch the database that is connected, and the outbox in it, inside the block."""
    async with AsyncExitStack() as stack:
        stack.callback(storage.listen(StatementWatcher(system=SYSTEMS[storage.dialect()])))
        _run_beside(stack, sample_pool())
        _run_beside(stack, sample_outbox(now))
        _run_beside(stack, sample_ledger())
        yield


async def _opened_spans(settings: Settings, stack: AsyncExitStack) -> Spans | None:
    if not settings.traces.endpoint:
        return None
    # Some 20 MB and a quarter of a second, which only those pay who want traces.
    from api.observability.spans import Spans

    spans = Spans(settings.traces)
    stack.push_async_callback(asyncio.to_thread, spans.close)
    return spans


def _run_beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    stack.push_async_callback(_stop, asyncio.create_task(work))


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
