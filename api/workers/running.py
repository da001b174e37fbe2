"""Running background work for as long as a process does: the gateway, or a worker beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Final

import structlog
from taskiq import AsyncBroker, InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq.kicker import AsyncKicker
from taskiq.receiver import Receiver

from api.opening import connect_redis
from api.settings import Settings
from api.workers.attachment_jobs import attachment_jobs
from api.workers.broker import RETRY_S, open_broker
from api.workers.custody_jobs import custody_jobs
from api.workers.drainer import Drainer
from api.workers.feedback_jobs import feedback_jobs
from api.workers.jobs import recurring_jobs
from api.workers.letter_jobs import letter_jobs
from api.workers.messages import MessageSender, open_sending
from api.workers.nudging import Nudger, nudging
from api.workers.recommendation_jobs import recommendation_jobs
from api.workers.reconciliations import reconciliation_jobs
from api.workers.schedules import Schedules
from api.workers.tasks import end_within
from api.workers.text_checks import TextChecker
from api.workers.webhooks import WebhookSender
from domain.clock import Clock
from domain.outbox import Consumer

log = structlog.get_logger("jifen.work")

DRAIN: Final = "drain-outbox"
TASKS_AT_ONCE: Final = 20


@asynccontextmanager
async def background(
    settings: Settings, *, clock: Clock, consumers: Sequence[Consumer]
) -> AsyncIterator[None]:
    """What the gateway does besides requests during the block.

    By default all of it; in production it only nudges the workers beside it.
    """
    if settings.works_in_process:
        async with working(settings, clock=clock, consumers=consumers):
            yield
    elif settings.redis_url.startswith("memory:"):
        # Nobody could hear a nudge.
        yield
    else:
        async with _opened(settings) as broker, nudging(_nudger(broker)):
            yield


@asynccontextmanager
async def working(
    settings: Settings, *, clock: Clock, consumers: Sequence[Consumer]
) -> AsyncIterator[None]:
    """Deliver the outbox, send webhooks, check texts, do the recurring jobs during the block.

    At its end nothing new is begun, and what runs has `stop_s` to end. What is cut off is taken up
    by another worker, or by the next start.
    """
    work = settings.work
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(_opened(settings))
        drainer = Drainer(consumers, clock=clock, work=work)
        sender = WebhookSender(settings, clock=clock)
        redis = await stack.enter_async_context(connect_redis(settings.redis_url))
        sending = await stack.enter_async_context(open_sending(settings, clock=clock, redis=redis))
        messages = MessageSender(sending, settings=settings, clock=clock)
        checker = TextChecker(settings, clock=clock)

        async def wake() -> None:
            drainer.wake()

        broker.register_task(wake, task_name=DRAIN)
        jobs = (
            *recurring_jobs(work, clock=clock),
            *feedback_jobs(work, clock=clock),
            *letter_jobs(work, clock=clock),
            *custody_jobs(settings.custody, pictures=settings.attachments, clock=clock),
            *reconciliation_jobs(
                settings.reconciliation, files=settings.reconciliation_files, clock=clock
            ),
            *recommendation_jobs(settings.recommendations, clock=clock),
            *attachment_jobs(settings.uploads, store=settings.attachments, clock=clock),
        )
        schedules = Schedules(jobs, broker=broker, clock=clock)
        stopping = asyncio.Event()
        loops = [
            asyncio.create_task(drainer.run()),
            asyncio.create_task(sender.run()),
            asyncio.create_task(messages.run()),
            asyncio.create_task(checker.run()),
            asyncio.create_task(schedules.run(stopping)),
            asyncio.create_task(_listen(broker, stopping, stop_s=work.stop_s)),
        ]
        try:
            async with nudging(_nudger(broker, drainer)):
                yield
        finally:
            stopping.set()
            drainer.stop()
            sender.stop()
            messages.stop()
            checker.stop()
            ends_at = perf_counter() + work.stop_s
            cut_off = await end_within(work.stop_s, loops)
            # Not before: what begins jobs may have begun one more when it was told to stop.
            cut_off += await end_within(max(ends_at - perf_counter(), 0), schedules.running)
            if cut_off:
                log.warning("work_cut_off", tasks=cut_off)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[AsyncBroker]:
    broker = open_broker(settings.redis_url)
    await broker.startup()
    try:
        yield broker
    finally:
        await broker.shutdown()


def _nudger(broker: AsyncBroker, drainer: Drainer | None = None) -> Nudger:
    """Nudges through the queue; where that fails, the drainer of this process, if it has one."""
    kicker: AsyncKicker[[], object] = AsyncKicker(task_name=DRAIN, broker=broker, labels={})
    return Nudger(kicker.kiq, otherwise=drainer.wake if drainer else lambda: None)


async def _listen(broker: AsyncBroker, stopping: asyncio.Event, *, stop_s: float) -> None:
    """Run what the queue brings, until told to stop; then wait for what runs.

    A broker inside the process runs what it is sent, and has no queue.
    """
    while not (stopping.is_set() or isinstance(broker, InMemoryBroker)):
        # Never cancelled: taskiq would end what runs, and tell the queue that it was done.
        receiver = Receiver(
            broker,
            run_startup=False,
            max_async_tasks=TASKS_AT_ONCE,
            wait_tasks_timeout=stop_s,
            ack_type=AcknowledgeType.WHEN_RECEIVED,
        )
        try:
            await receiver.listen(stopping)
        except Exception:
            log.exception("listening_failed")
            await asyncio.sleep(RETRY_S)
