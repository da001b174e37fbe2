"""Racing batches of rewards: one effect, budgets and caps that hold, and what a model says."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from domain import games, ledger
from domain.access import KeyRing
from domain.games import RewardBatch, RewardItem
from domain.members import PhoneKeyFile, use_phone_keys
from domain.storage import fetch_all, fetch_one
from tests.domain.games.arcade import (
    NOW,
    Arcade,
    open_arcade,
    open_campaign,
    open_partner,
    people_of,
)
from tests.races.contention import Gate
from tests.races.rewarding import Push, push_all

PUSHES = 100
"""By each of two processes."""
AT_ONCE = 24
"""What the connections of one process let through."""

Race = Callable[[Arcade, Sequence[Push], Sequence[Push], str], Awaitable[list[Any]]]


@pytest.fixture(scope="module")
def phone_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys under which both processes name members."""
    path = tmp_path_factory.mktemp("phones") / "phone-keys.json"
    use_phone_keys(PhoneKeyFile(path, now=NOW, create_missing=True))
    return path


@pytest.fixture
def race(postgres: str, gate: Gate, phone_keys: Path, key_path: Path) -> Race:
    """Push from here and from another process, all held back by a lock until they have met."""

    async def run(
        arcade: Arcade, ours: Sequence[Push], theirs: Sequence[Push], held: str
    ) -> list[Any]:
        await gate.hold(held)
        given = {
            "database": postgres,
            "phone_keys": str(phone_keys),
            "key_set": str(key_path),
            "partner": arcade.partner.code,
            "campaign": str(arcade.campaign.id),
            "pushes": theirs,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.races.rewarding", orjson.dumps(given).decode()),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        here = asyncio.create_task(push_all(arcade.partner, arcade.campaign.id, arcade.keys, ours))
        await gate.open(waiting=2 * AT_ONCE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return [*await here, *orjson.loads(output.splitlines()[-1])]

    return run


async def test_two_hundred_pushes_of_one_item_have_one_effect(
    ring: KeyRing, phone_keys: Path, race: Race
) -> None:
    arcade = await open_arcade(ring, "alice")
    alice = str(arcade.people["alice"])
    # The member has no account yet: what they all wait for is the member's own row.
    ours, theirs = ([(f"{who}-{n}", "spin", alice) for n in range(PUSHES)] for who in "ab")
    told = await race(arcade, ours, theirs, "SELECT 1 FROM member FOR UPDATE")

    statuses = Counter(status for status, _ in told)
    assert statuses == {"APPLIED": 1, "DUPLICATE": 2 * PUSHES - 1}
    assert (await arcade.available("alice"), await arcade.spent()) == (10, 10)
    await arcade.verify()


@pytest.mark.parametrize(
    ("caps", "terms", "code"),
    [
        ({}, {"budget": 75}, "BUDGET_EXHAUSTED"),
        ({"points_per_day": 75}, {}, "CAP_REACHED"),
    ],
)
async def test_racing_batches_never_overdraw(
    ring: KeyRing, phone_keys: Path, race: Race, caps: Any, terms: Any, code: str
) -> None:
    """Each of another member's, so that nothing but the budget or the day is common to them."""
    names = [f"m{n}" for n in range(2 * AT_ONCE)]
    arcade = await open_arcade(ring, *names, caps=caps, **terms)
    pushes = [(name, name, str(arcade.people[name])) for name in names]
    # All have decided by what they saw, and wait with the last lock of all.
    told = await race(arcade, pushes[::2], pushes[1::2], "SELECT 1 FROM game_campaign FOR UPDATE")
    assert Counter(tuple(one) for one in told) == {
        ("APPLIED", None): 7,
        ("REJECTED", code): len(names) - 7,
    }
    assert await arcade.spent() == 70
    await arcade.verify()


@dataclass(slots=True)
class Story:
    """What a partner pushes, and what it must come to whatever the order.

    Grants and reversals come in batches of all mixtures; `net` is what each member shall have, by
    the model: a reversed grant counts nothing, each other one once.
    """

    arcade: Arcade
    batches: dict[str, list[RewardItem]] = field(default_factory=dict)
    answers: dict[str, list[RewardBatch]] = field(default_factory=dict)
    net: Counter[str] = field(default_factory=Counter)
    items: dict[str, RewardItem] = field(default_factory=dict)
    cancelled: int = 0


def story_of(arcade: Arcade, chance: Random, *, batches: int, size: int) -> Story:
    story = Story(arcade)
    pool: list[RewardItem] = []
    for number in range(batches * size):
        who, points = chance.choice(sorted(arcade.people)), chance.randint(1, 99)
        event = f"event-{number}" if chance.random() < 0.3 else None
        grant = arcade.item(f"g{number}", who, points, business_reference=event)
        pool.append(grant)
        if chance.random() < 0.1:
            pool.append(arcade.back(f"r{number}", f"g{number}", who=who, points=points))
        else:
            story.net[who] += points
    story.items = {one.external_id: one for one in pool}
    # A tenth comes twice, in whichever batches.
    pool += chance.sample(pool, len(pool) // 10)
    chance.shuffle(pool)
    for place in range(0, len(pool), size):
        story.batches[f"b{place}"] = pool[place : place + size]
    return story


async def tell(story: Story, batch_id: str, chance: Random) -> None:
    """Push a batch, sometimes cut off in the middle and sent again, sometimes once more at once."""
    items = story.batches[batch_id]
    if chance.random() < 0.2:
        first = asyncio.create_task(story.arcade.push(batch_id, *items))
        for _ in range(chance.randint(1, 40)):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        story.cancelled += 1
    times = 2 if chance.random() < 0.3 else 1
    answers = await asyncio.gather(*(story.arcade.push(batch_id, *items) for _ in range(times)))
    story.answers.setdefault(batch_id, []).extend(answers)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_whatever_the_order_the_effects_are_those_of_the_model(
    ring: KeyRing,
    postgres: str,
    full_form: bool,
    tally: Callable[[str, int, int], None],
) -> None:
    """20 partners push at once: duplicates, replays, reorderings, reversals before their grants."""
    batches, size = (20, 100) if full_form else (3, 6)
    chance = Random(7)
    names = ("alice", "bob", "carol", "dave")
    people = await people_of(*names)
    stories = []
    for number in range(20):
        code = f"p{number}"
        partner, campaign = await open_partner(code), await open_campaign(code)
        for member_id in people.values():
            await games.bind_member(partner.account_id, member_id, now=NOW)
        arcade = Arcade(partner=partner, campaign=campaign, keys=ring, people=people)
        stories.append(story_of(arcade, chance, batches=batches, size=size))
    sends = [(story, batch_id) for story in stories for batch_id in story.batches]
    sends += chance.sample(sends, len(sends) // 4)
    chance.shuffle(sends)
    turns = asyncio.Semaphore(16)

    async def send(story: Story, batch_id: str) -> None:
        async with turns:
            await tell(story, batch_id, chance)

    await asyncio.gather(*(send(*one) for one in sends))

    for story in stories:
        await check(story)
    for name, member_id in people.items():
        found = await ledger.balance(member_id, now=NOW)
        assert found.available - found.debt == sum(story.net[name] for story in stories)
        assert await ledger.verify_account(member_id) == []
    pushed = sum(len(one.receipts) for s in stories for told in s.answers.values() for one in told)
    tally("rewards pushed by 20 partners at once", pushed, 40_000 if full_form else 400)
    cut = sum(story.cancelled for story in stories)
    tally("pushes of them that were cut off", cut, 50 if full_form else 5)
    waited = await fetch_one(
        "SELECT COUNT(*) AS n FROM reward_item"
        " WHERE first_status = 'PENDING' AND status = 'APPLIED'"
    )
    assert waited is not None
    tally("reversals that waited for their grants", waited["n"], 500 if full_form else 5)


async def check(story: Story) -> None:
    """Each item took effect once, and each batch has one answer."""
    arcade = story.arcade
    rows = await fetch_all(
        "SELECT external_id, status FROM reward_item WHERE partner_id = $1",
        arcade.partner.account_id,
    )
    assert {row["external_id"]: row["status"] for row in rows} == dict.fromkeys(
        story.items, "APPLIED"
    )
    assert await arcade.spent() == sum(story.net.values())
    for answers in story.answers.values():
        # A push that was cut off may have been the one that was not a replay.
        assert sum(not one.replayed for one in answers) <= 1
        assert len({(one.signature, tuple(one.receipts)) for one in answers}) == 1
    first = Counter(
        receipt.external_id
        for answers in story.answers.values()
        for receipt in answers[0].receipts
        if receipt.status in {"APPLIED", "PENDING"}
    )
    assert first == dict.fromkeys(story.items, 1)
