"""The commands about webhooks, as an operator runs them; what changes something is told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import games
from domain.games import webhook_consumer
from domain.games.webhooks.endpoints import give_up
from domain.outbox import Event, announce, drain
from tests.api.test_commands import CommandLine
from tests.domain.games.arcade import CLERK, open_partner

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def command(sqlite_url: str, tmp_path: Path) -> CommandLine:
    """Commands are thin: what they ask for runs on both databases in the domain's own tests."""
    return CommandLine(url=sqlite_url, keys=tmp_path / "keys.json")


async def told() -> None:
    """A partner is told of somebody, and its address is gone."""
    partner = await open_partner("fanqu", webhook_url="https://fanqu.example/hooks")
    facts = {"partner_id": str(partner.account_id), "member_ref": "gm_a"}
    await announce([Event(kind="MemberUnbound", member_id=None, facts=facts)], now=NOW)
    await drain([webhook_consumer()], clock=lambda: NOW)
    [endpoint] = await games.due_endpoints(now=NOW)
    await give_up(endpoint, by=CLERK, now=NOW)


def test_an_operator_sees_webhooks_sends_them_again_and_takes_an_address_up(
    command: CommandLine,
) -> None:
    command.ask(told)
    shown = command.run("webhooks", "list", "fanqu")
    assert "nothing is sent since 2026-03-01T12:00:00Z: it answered 410\n" in shown
    moment = "2026-03-01T12:00:00Z"
    row = rf"(?m)^(msg_\S+) +member\.unbound +PENDING +0 +{moment} +{moment} *$"
    [webhook] = re.findall(row, shown)

    assert command.run("webhooks", "enable", "fanqu") == "webhooks go to fanqu again\n"
    shown = command.run("webhooks", "list", "fanqu")
    assert "nothing is sent" not in shown
    # It waits anyway.
    again = command.run("webhooks", "replay", "fanqu", "--webhook", webhook)
    assert again == "webhooks to be sent again: 0\n"
    since = ("--since", "2026-03-01T00:00:00+0800")
    assert command.run("webhooks", "replay", "fanqu", *since) == "webhooks to be sent again: 0\n"

    assert "INVALID_INPUT" in command.run("webhooks", "replay", "fanqu", status=1)
    assert "ids like msg_" in command.run(
        "webhooks", "replay", "fanqu", "--webhook", "msg_x", status=2
    )
    for words in (("list",), ("enable",), ("replay", *since)):
        name, *rest = words
        assert "PARTNER_UNKNOWN" in command.run("webhooks", name, "nobody", *rest, status=1)
    assert [one.action for one in command.log() if one.action.startswith("webhooks")] == [
        *("webhooks.disable", "webhooks.enable", "webhooks.replay", "webhooks.replay"),
    ]


def test_a_partner_who_was_told_nothing(command: CommandLine) -> None:
    async def quiet() -> None:
        await open_partner("fanqu")

    command.ask(quiet)
    assert command.run("webhooks", "list", "fanqu") == "it was told nothing\n"
