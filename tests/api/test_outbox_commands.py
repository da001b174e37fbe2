"""The commands about the outbox, as an operator runs them when something was parked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from typer.testing import CliRunner

from api.cli.commands import app
from domain import storage
from domain.outbox import DeliveryLimits, drain, parked
from tests.domain.ledger.commands import ALICE, BOB, NOW
from tests.domain.outbox.listening import Listener, choking_on, tell

T = TypeVar("T")


def run(url: str, *arguments: str, status: int = 0) -> str:
    """Run a command to its end; returns what it printed, complaints too."""
    environment = {"DATABASE_URL": url, "COLUMNS": "80"}
    result = CliRunner().invoke(app, ["outbox", *arguments], env=environment)
    assert result.exit_code == status, (result.output, result.exception)
    return result.output


def ask(url: str, question: Callable[[], Awaitable[T]]) -> T:
    """The answer of the domain itself."""

    async def connected() -> T:
        await storage.connect(url)
        try:
            return await question()
        finally:
            await storage.close()

    return asyncio.run(connected())


def test_an_operator_sees_what_is_parked_and_replays_it(database_url: str) -> None:
    listener = Listener("letters", fails=choking_on("bad"))

    async def park() -> None:
        await tell("bad", "fine")
        await tell("bad", member_id=BOB)
        limits = DeliveryLimits(tries_max=1)
        await drain([listener.consumer], clock=lambda: NOW, limits=limits)
        await tell("waits")

    assert run(database_url, "parked") == "nothing is parked\n"
    ask(database_url, park)
    words = run(database_url, "status").splitlines()
    assert words[0].split() == ["undelivered", "events", "1"]
    assert words[1].split() == ["members", "waiting", "1"]
    assert words[4].split() == ["parked", "2"]
    listed = run(database_url, "parked")
    for fact in (f"{ALICE}:1", f"{BOB}:1", "letters", "ValueError: cannot digest bad"):
        assert fact in listed

    assert "say which" in run(database_url, "replay", status=1)
    assert run(database_url, "replay", f"{BOB}:2") == "events to be handed over again: 0\n"
    assert run(database_url, "replay", f"{BOB}:1") == "events to be handed over again: 1\n"
    assert run(database_url, "parked").count("asked for") == 1
    assert (
        run(database_url, "replay", "--consumer", "letters")
        == "events to be handed over again: 2\n"
    )
    assert run(database_url, "replay", "--all") == "events to be handed over again: 2\n"

    async def replayed() -> list[str]:
        listener.fails = lambda _: None
        listener.batches.clear()
        # The commands ask by the clock of the day.
        long_after = NOW + timedelta(days=36_500)
        await drain([listener.consumer], clock=lambda: long_after)
        assert await parked(first=1) == []
        return listener.heard

    assert ask(database_url, replayed) == ["waits", "bad", "bad"]
