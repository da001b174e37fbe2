"""A reversal and its grant at one moment, of two members, so that neither batch sees the other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from domain import games
from domain.access import KeyRing
from domain.games import settling
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import Arcade, open_arcade, told
from tests.races.contention import Gate

key_path = access.key_path
ring = access.ring

PENDING = ("PENDING", None, None)


@pytest.fixture
async def arcade(ring: KeyRing, postgres: str) -> Arcade:
    arcade = await open_arcade(ring)
    told_to = replace(arcade.partner, webhook_url="https://games.example/hooks")
    arcade.partner = told_to
    # The rows that both batches lock are there: what is held back is only what the test holds.
    assert told(await arcade.push("b0", arcade.item("x", points=0), arcade.item("y"))) == [
        ("REJECTED", None, "AMOUNT_INVALID"),
        ("APPLIED", None, None),
    ]
    return arcade


async def standing(arcade: Arcade) -> tuple[str, str | None]:
    """How the reversal stands."""
    [found] = await games.standing_receipts(
        arcade.partner.account_id, ["r"], partner="arcade", keys=arcade.keys
    )
    return found.status, found.code


async def test_the_later_of_two_batches_settles_what_neither_saw(
    arcade: Arcade, gate: Gate
) -> None:
    # The grant has looked for what waits, and waits itself for the budget.
    await gate.hold("SELECT 1 FROM game_campaign FOR UPDATE")
    grant = asyncio.create_task(arcade.push("b1", arcade.item("g", "alice")))
    await gate.gather(1)
    assert told(await arcade.push("b2", arcade.back("r", "g", who="bob"))) == [PENDING]
    assert await standing(arcade) == ("PENDING", None)
    await gate.open(waiting=1)
    assert told(await grant) == [("APPLIED", None, None)]
    assert await standing(arcade) == ("REJECTED", "MEMBER_NOT_FOUND")
    # It is not remembered: whoever named the wrong member names the right one.
    assert told(await arcade.push("b3", arcade.back("r", "g"))) == [("APPLIED", None, None)]
    assert (await arcade.net("alice"), await arcade.spent()) == (10, 10)


async def test_so_it_does_where_the_reversal_is_the_later(
    arcade: Arcade, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The reversal has looked for its grant, and waits to tell of what its batch was refused for.
    stream = "SELECT 1 FROM outbox_stream WHERE member_id = $1 FOR UPDATE"
    await gate.hold(stream, arcade.partner.account_id)
    items = [arcade.back("r", "g", who="bob"), arcade.item("z", "bob", points=0)]
    reversal = asyncio.create_task(arcade.push("b2", *items))
    await gate.gather(1)
    assert told(await arcade.push("b1", arcade.item("g", "alice"))) == [("APPLIED", None, None)]
    with monkeypatch.context() as killed:
        # A planted fault: the process ends between the commit and the second look.
        killed.setattr(settling, "_unsettled", _dies)
        await gate.open(waiting=1)
        with pytest.raises(ConnectionError):
            await reversal
    assert await standing(arcade) == ("PENDING", None)
    # Nobody was answered, so it is asked again: the same answer, after the second look.
    again = await arcade.push("b2", *items)
    assert (again.replayed, told(again)[0]) == (True, PENDING)
    assert await standing(arcade) == ("REJECTED", "MEMBER_NOT_FOUND")
    assert (await arcade.net("alice"), await arcade.spent()) == (20, 20)
    await arcade.verify()


async def _dies(*_: object) -> None:
    raise ConnectionError
