"""The commands about the ledger, as an operator runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from typer.testing import CliRunner

from api.cli.commands import app
from domain import storage
from domain.ledger import frozen_accounts, post
from domain.storage import execute
from schema.node import encode_global_id
from tests.domain.ledger.commands import ALICE, BOB, NOW, earn, redeem

T = TypeVar("T")


def run(url: str, *arguments: str, status: int = 0) -> str:
    """Run a command to its end; returns what it printed, complaints too."""
    result = CliRunner().invoke(app, [*arguments], env={"DATABASE_URL": url})
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


async def history() -> None:
    await post([earn(10), earn(20, member_id=BOB), redeem(5, member_id=BOB)], now=NOW)


async def steal() -> None:
    await execute("UPDATE points_account SET available = 16 WHERE member_id = $1", BOB)


async def mend() -> None:
    await execute("UPDATE points_account SET available = 15 WHERE member_id = $1", BOB)


def test_an_operator_audits_and_releases_what_was_mended(sqlite_url: str) -> None:
    url = sqlite_url
    assert run(url, "audit-ledger") == (
        "checked 0 accounts, 0 entries: 0 violations, 0 accounts frozen\n"
    )
    ask(url, history)
    sound = "checked 2 accounts, 3 entries: 0 violations, 0 accounts frozen\n"
    nothing = "checked 0 accounts, 0 entries: 0 violations, 0 accounts frozen\n"
    assert run(url, "audit-ledger", "--incremental") == sound
    assert run(url, "audit-ledger", "--incremental") == nothing
    assert run(url, "audit-ledger", "--complete") == sound

    ask(url, steal)
    broken = (
        f"{BOB} sum: available is 16, its changes sum to 15\n{BOB} lots: matured lots hold 15\n"
    )
    told = run(url, "audit-ledger", status=1).splitlines()
    # The alert is a line of the log, whoever audits.
    [alert] = [line for line in told if "ledger_violation" in line]
    assert str(BOB) in alert
    assert set(told) - {alert} == {
        *broken.splitlines(),
        "checked 2 accounts, 3 entries: 2 violations, 1 accounts frozen",
    }
    assert ask(url, frozen_accounts) == 1
    refused = run(url, "unfreeze-account", str(BOB), status=1)
    assert refused == f"{broken}the account stays frozen: mend it first\n"

    ask(url, mend)
    assert run(url, "audit-ledger") == sound
    released = f"the account of {BOB} may spend again\n"
    assert run(url, "unfreeze-account", str(BOB)) == released
    assert ask(url, frozen_accounts) == 0
    # Whoever is not frozen, or nobody; by either way in which audits name members.
    named = ((str(BOB), 1), (encode_global_id("Member", ALICE), 1), ("somebody", 2))
    for member, status in named:
        run(url, "unfreeze-account", member, status=status)
