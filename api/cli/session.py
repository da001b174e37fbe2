"""What most commands need: settings, a database while they run, and one clear line on failure."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from tortoise.exceptions import ConfigurationError, DBConnectionError, OperationalError

from api.memory import keep_what_is_loaded
from api.opening import open_phone_keys
from api.settings import Settings, read_settings
from domain import storage
from domain.access import KeySetInvalid
from domain.audit import AuditChainBroken
from domain.clock import Clock
from domain.errors import Refusal
from domain.members import PhoneKeysInvalid
from domain.storage import StorageFault
from schema.errors import refusal_text

T = TypeVar("T")

console = Console()
complaints = Console(stderr=True)


def show(table: Table) -> None:
    """Print a table as wide as it is: an id that is cut off cannot be given to another command."""
    unbounded = console.options.update(max_width=sys.maxsize)
    Console(width=console.measure(table, options=unbounded).maximum).print(table)


class NotMigrated(Exception):
    """Raised when a command needs tables that are not there yet."""


def stop(reason: str) -> NoReturn:
    """End the command with exit status 1 and one line that says why."""
    complaints.print(reason, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def with_database(work: Callable[[Settings, Clock], Awaitable[T]]) -> T:
    """Run `work` with the settings' database connected; refusals end the command as one line."""
    settings = read_settings()
    keep_what_is_loaded()

    async def connected() -> T:
        try:
            await storage.connect(settings.database_url, pool=storage.UNHURRIED)
            clock = Clock()
            await storage.synchronise_clock(clock)
            open_phone_keys(settings, now=clock.now())
            return await _on_our_tables(work(settings, clock))
        finally:
            await storage.close()

    with failing_in_one_line():
        return asyncio.run(connected())


async def _on_our_tables(work: Awaitable[T]) -> T:
    """The result of `work`. Raises NotMigrated where it failed for what a migration would bring."""
    try:
        return await work
    except OperationalError as failure:
        if missing := await storage.pending_migrations():
            raise NotMigrated(
                f"the database is not migrated ({', '.join(missing)}): run `migrate` first"
            ) from failure
        raise


@contextmanager
def failing_in_one_line() -> Iterator[None]:
    """End the command as one line when the block is refused, or its database or files fail."""
    try:
        yield
    except Refusal as refusal:
        stop(f"refused: {refusal.code}: {refusal_text(refusal, 'en')}")
    except (KeySetInvalid, PhoneKeysInvalid, NotMigrated) as reason:
        stop(str(reason))
    except AuditChainBroken as broken:
        stop(f"nothing was done: {broken}; look with `verify-audit`")
    except (StorageFault, ConfigurationError, DBConnectionError, OSError, ValueError) as failure:
        stop(f"{type(failure).__name__}: {failure}")
