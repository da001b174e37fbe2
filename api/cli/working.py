"""Commands about background work: doing it, and looking after the outbox."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import datetime
from typing import Annotated

import structlog
import typer
from rich.table import Table

from api.cli.operators import tell_the_log
from api.cli.session import console, failing_in_one_line, show, stop, with_database
from api.logs import configure_logs
from api.memory import keep_what_is_loaded
from api.observability.watching import watching, watching_storage
from api.opening import connect_redis, keeping_time, open_phone_keys
from api.settings import Settings, read_settings
from domain import outbox, storage
from domain.audit import Target
from domain.clock import Clock

log = structlog.get_logger("jifen.work")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("work")(work)
    group = typer.Typer(help="Look after the delivery of events.", no_args_is_help=True)
    group.command("status")(status)
    group.command("parked")(parked)
    group.command("replay")(replay)
    app.add_typer(group, name="outbox")


def work() -> None:
    """Deliver the outbox and do the recurring jobs until told to stop (SIGTERM)."""
    settings = read_settings()
    configure_logs(production=settings.is_production, level=settings.log_level)
    if settings.redis_url.startswith("memory:"):
        stop(
            "`work` needs a Redis to be told of work: set REDIS_URL; without one the gateway works"
        )
    keep_what_is_loaded()
    with failing_in_one_line():
        asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    # The queue takes a quarter of a second to load, which no other command should wait for.
    from api.workers.consumers import consumers_with
    from api.workers.running import working

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    redis = connect_redis(settings.redis_url)
    try:
        await storage.connect(settings.database_url, pool=settings.database.work_pool)
        if missing := await storage.pending_migrations():
            raise ValueError(f"migrations are missing: {', '.join(missing)}")
        clock = Clock()
        await storage.synchronise_clock(clock)
        open_phone_keys(settings, now=clock.now()).vault()
        async with (
            keeping_time(clock),
            watching_storage(now=clock.now),
            watching(settings, queued=lambda: 0),
            working(settings, clock=clock, consumers=consumers_with(settings, redis=redis)),
        ):
            log.info("worker_ready", pid=os.getpid())
            await told.wait()
            log.info("worker_stopping")
    finally:
        await storage.close()
        await redis.aclose()
    log.info("worker_stopped")


def status() -> None:
    """Show how delivery stands."""

    async def look(settings: Settings, clock: Clock) -> tuple[outbox.OutboxStatus, float]:
        found = await outbox.outbox_status()
        return found, found.lag_s(clock.now())

    found, lag_s = with_database(look)
    console.print(f"undelivered events  {found.undelivered}")
    console.print(f"members waiting     {found.streams}")
    console.print(f"oldest waits since  {lag_s:.1f} s")
    console.print(f"being tried again   {found.retrying}")
    console.print(f"parked              {found.parked}")


def parked(
    first: Annotated[int, typer.Option(min=1, max=1_000, help="Show at most so many.")] = 20,
) -> None:
    """List events that a consumer failed at too often, the oldest first."""

    async def look(settings: Settings, clock: Clock) -> list[outbox.Parked]:
        return list(await outbox.parked(first=first))

    found = with_database(look)
    table = Table("event", "kind", "consumer", "tries", "parked at", "error", "replay")
    for one in found:
        table.add_row(
            one.event.key,
            one.event.kind,
            one.consumer,
            str(one.attempts),
            one.parked_at.isoformat(timespec="seconds"),
            f"{one.error}: {one.detail}",
            "" if one.replay_at is None else "asked for",
        )
    if not found:
        console.print("nothing is parked")
        return
    show(table)


def replay(
    event: Annotated[str | None, typer.Argument(help="As `parked` names it.")] = None,
    consumer: Annotated[str | None, typer.Option(help="Those of one consumer.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is parked.")] = False,
) -> None:
    """Hand parked events over again; workers do it within a second."""
    if not (event or consumer or everything):
        stop("say which: an event, --consumer NAME, or --all")

    async def ask(settings: Settings, clock: Clock) -> int:
        return await storage.transaction(lambda: hand_over(clock.now()))

    async def hand_over(now: datetime) -> int:
        target = Target(kind="events", id=event or consumer or "all")
        await tell_the_log("outbox.replay", target, now=now)
        return await outbox.replay(now=now, event=event, consumer=consumer)

    console.print(f"events to be handed over again: {with_database(ask)}")
