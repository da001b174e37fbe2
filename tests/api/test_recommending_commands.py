"""The commands about recommendations, as an operator runs them."""

from __future__ import annotations

import re

from domain.clock import Clock
from domain.recommendations import ScoringSettings
from domain.recommendations.versions import begin_training
from tests.api import test_commands
from tests.api.test_commands import CommandLine
from tests.domain.recommendations.town import a_town

command = test_commands.command


def test_a_model_is_trained_and_seen(command: CommandLine) -> None:
    async def a_shop() -> None:
        town = await a_town("ann", "ben")
        await town.buys("ann", "leaf pot")
        await town.says("ann")

    command.ask(a_shop)
    assert command.run("recommendations", "status") == "no model was trained yet\n"
    assert command.run("recommendations", "train", "--method", "EASE") == (
        "version 1 serves: 8 products, purchases of 1 members, lists of 1 who agreed\n"
    )
    shown = command.run("recommendations", "status")
    assert re.search(r"│ 1 +│ ACTIVE │ EASE ", shown)
    command.run("recommendations", "train", "--as-of", "2026-03-01T00:00:00")
    shown = command.run("recommendations", "status", "--first", "1")
    assert re.search(r"│ 2 +│ ACTIVE │ ITEM_ITEM │ 2026-03-01T00:00:00\+00:00 ", shown)
    assert "KEPT" not in shown


def test_a_training_beside_another_is_refused_in_one_line(command: CommandLine) -> None:
    async def another() -> None:
        await a_town("ann")
        now = Clock().now()
        await begin_training(ScoringSettings(), as_of=now, now=now)

    command.ask(another)
    refused = command.run("recommendations", "train", status=1)
    assert refused.startswith("nothing was done: version 1 is being trained since ")
    assert command.run("recommendations", "status").count("TRAINING") == 1
    assert command.log() == []


def test_what_is_to_come_cannot_be_known(command: CommandLine) -> None:
    refused = command.run("recommendations", "train", "--as-of", "2099-01-01T00:00:00", status=1)
    assert refused == "nothing was done: --as-of is in the future\n"
    assert command.run("recommendations", "status") == "no model was trained yet\n"
