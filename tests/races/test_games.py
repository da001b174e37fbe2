"""Bindings and events of games from two processes at once, on PostgreSQL."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import games
from domain.members import (
    ANY_PARTNER,
    ConsentText,
    PhoneKeyFile,
    publish_consent_texts,
    use_phone_keys,
)
from domain.storage import fetch_all
from tests.domain.games.arcade import NOW, open_campaign, open_partner, people_of
from tests.races.contention import Gate
from tests.races.gaming import do_all

AT_ONCE = 10
"""In each of two processes."""

Doing = tuple[str, list[Any]]
Race = Callable[[list[Doing], list[Doing], str], Awaitable[list[Any]]]


@pytest.fixture(scope="module")
def phone_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys under which both processes make tokens and name visitors."""
    path = tmp_path_factory.mktemp("phones") / "phone-keys.json"
    use_phone_keys(PhoneKeyFile(path, now=NOW, create_missing=True))
    return path


@pytest.fixture
def race(postgres: str, gate: Gate, phone_keys: Path) -> Race:
    """Do it from here and from another process, all held back by a lock until they have met."""

    async def run(ours: list[Doing], theirs: list[Doing], held: str) -> list[Any]:
        await gate.hold(held)
        given = {"database": postgres, "phone_keys": str(phone_keys), "doings": theirs}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.races.gaming", orjson.dumps(given).decode()),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        here = asyncio.create_task(do_all(ours))
        await gate.open(waiting=len(ours) + len(theirs))
        output, _ = await process.communicate()
        assert process.returncode == 0
        return [*await here, *orjson.loads(output.splitlines()[-1])]

    return run


async def open_for(*names: str) -> dict[str, UUID]:
    """A partner, words to agree to, and members who have not allowed it yet."""
    await open_partner("arcade")
    words = {"title_zh": "伙伴", "title_en": "Partner", "body_zh": "同意", "body_en": "Yes"}
    text = ConsentText(purpose=ANY_PARTNER, version="1", **words)
    await publish_consent_texts([text], now=NOW)
    return await people_of(*names)


async def test_a_token_is_exchanged_once(race: Race) -> None:
    alice = str((await open_for("alice"))["alice"])
    [token] = await do_all([("allow", [alice, "arcade", "k1"])])
    doings: list[Doing] = [("exchange", ["arcade", token])] * AT_ONCE
    told = await race(doings, doings, "SELECT 1 FROM game_bind_token FOR UPDATE")
    [row] = await fetch_all("SELECT member_ref FROM game_binding")
    assert sorted(told) == sorted(["BIND_TOKEN_INVALID"] * (2 * AT_ONCE - 1) + [row["member_ref"]])


async def test_one_key_binds_once_and_events_told_by_everybody_count_once(race: Race) -> None:
    """Carol allows the partner, who tells of others: each batch the same events in another order.

    One process more costs as much as the race itself, so the two are one.
    """
    people = await open_for("alice", "bob", "carol")
    partner = await games.known_partner("arcade")
    campaign = await open_campaign("arcade")
    alice, bob, carol = map(str, people.values())
    for name in ("alice", "bob"):
        await games.bind_member(partner.account_id, people[name], now=NOW)
    events = [(f"e{n}", f"v{n % 7}", (alice, bob)[n % 7 % 2]) for n in range(20)]

    def doings(who: str) -> list[Doing]:
        turned = [events[n:] + events[:n] for n in range(AT_ONCE)]
        return [
            *[
                ("tell", ["arcade", str(campaign.id), f"{who}{n}", turned[n]])
                for n in range(AT_ONCE)
            ],
            *[("allow", [carol, "arcade", "k1"])] * AT_ONCE,
        ]

    answers = await race(doings("a"), doings("b"), "SELECT 1 FROM member FOR UPDATE")
    told = [one for one in answers if isinstance(one, list)]
    tokens = [one for one in answers if isinstance(one, str)]
    assert (len(told), len(tokens), len(set(tokens))) == (2 * AT_ONCE, 2 * AT_ONCE, 1)
    for table, rows in (("game_binding", 3), ("game_bind_token", 1), ("member_consent", 1)):
        assert len(await fetch_all(f"SELECT * FROM {table}")) == rows, table
    kinds = await fetch_all("SELECT kind FROM outbox WHERE member_id = $1", people["carol"])
    assert sorted(row["kind"] for row in kinds) == ["ConsentChanged", "MemberBound", "MemberJoined"]
    assert sum(accepted for accepted, _ in told) == 20
    assert sum(duplicates for _, duplicates in told) == 20 * (2 * AT_ONCE - 1)
    found = await games.funnels([campaign], point_cost_fen=games.POINT_COST_FEN)
    one = found[campaign.id]
    assert (one.visitors, one.players, one.new_members) == (7, 7, 2)
