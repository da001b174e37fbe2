"""Random histories of people who play while their records are joined and parted again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest

from domain.access import KeyRing
from domain.custody import Merge, MergeBecause, merge, part
from domain.errors import MergeNotUndoable
from domain.files import FileStore
from domain.members import ByPairwiseReference
from domain.storage import fetch_all, transaction
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, Arcade, open_arcade

HISTORIES: Final = 60 if os.environ.get("JIFEN_SOAK") else 4
STEPS: Final = 30
PEOPLE: Final = ("alice", "bob", "carol", "dave")
DOINGS: Final = ("play", "play", "play", "regret", "regret", "foresee", "join", "join", "part")

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("database")]
key_path = access.key_path
ring = access.ring


@dataclass(slots=True)
class Histories:
    """Doings by draws of `random`, counted in `done` by what they came to."""

    arcade: Arcade
    random: Random
    files: FileStore
    done: Counter[str] = field(default_factory=Counter)
    pushed: list[tuple[str, str]] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    count: int = 0

    async def step(self) -> None:
        """One thing that happens."""
        what = self.random.choice(DOINGS)
        self.done[f"{what}: {await getattr(self, what)()}"] += 1

    @property
    def who(self) -> str:
        """Somebody."""
        return self.random.choice(PEOPLE)

    async def play(self) -> str:
        """A win, of a business event that others may be told of too, by some name."""
        self.count += 1
        who = self.who
        self.pushed.append((f"g{self.count}", who))
        event = f"{who}-{self.random.randrange(4)}"
        names = {"member": ByPairwiseReference(self.arcade.refs[who])}
        return await self._push(f"g{self.count}", who, business_reference=event, **names)

    async def regret(self) -> str:
        """A reversal of some win, at times told of another person than it was."""
        if not self.pushed:
            return "nothing"
        grant, who = self.random.choice(self.pushed)
        self.count += 1
        return await self._back(f"r{self.count}", grant, self.random.choice([who, who, self.who]))

    async def foresee(self) -> str:
        """A reversal of the next win."""
        self.count += 1
        return await self._back(f"r{self.count}", f"g{self.count + 1}", self.who)

    async def join(self) -> str:
        """Two records become one."""
        keeper, loser = (self.arcade.people[who] for who in self.random.sample(PEOPLE, 2))
        because = MergeBecause.STAFF
        work = partial(merge, keeper, loser, because=because, by="staff:clerk", now=NOW)
        joined = await transaction(work)
        if joined is None:
            return "one already"
        self.merges.append(joined)
        return "joined"

    async def part(self) -> str:
        """Any merge is undone, where it still can be."""
        if not self.merges:
            return "nothing"
        undone = self.random.choice(self.merges[-2:])
        try:
            work = partial(part, undone, by="staff:clerk", files=self.files, now=NOW)
            await transaction(work)
        except MergeNotUndoable:
            return "too late"
        self.merges.remove(undone)
        return "parted"

    async def _back(self, external_id: str, grant: str, who: str) -> str:
        self.count += 1
        item = self.arcade.back(external_id, grant, who=who)
        [receipt] = (await self.arcade.push(f"b{self.count}", item)).receipts
        return str(receipt.code or receipt.status)

    async def _push(self, external_id: str, who: str, **other: Any) -> str:
        item = self.arcade.item(external_id, who, **other)
        self.count += 1
        [receipt] = (await self.arcade.push(f"b{self.count}", item)).receipts
        return str(receipt.code or receipt.status)


async def sound(arcade: Arcade) -> None:
    """What everybody has is what is spent; nothing waits in vain; no name is lost."""
    await arcade.verify()
    assert sum([await arcade.net(who) for who in arcade.people]) == await arcade.spent()
    rows = await fetch_all(
        "SELECT r.external_id FROM reward_item r JOIN reward_item g"
        " ON g.partner_id = r.partner_id AND g.external_id = r.reverses"
        " WHERE r.partner_id = $1 AND r.status = 'PENDING' AND g.status <> 'REJECTED'",
        arcade.partner.account_id,
    )
    assert rows == []
    rows = await fetch_all(
        "SELECT member_ref, unbound_at FROM game_binding WHERE partner_id = $1",
        arcade.partner.account_id,
    )
    assert {row["member_ref"]: row["unbound_at"] for row in rows} == dict.fromkeys(
        arcade.refs.values()
    )


async def test_what_people_win_while_they_become_one_and_two_again_adds_up(
    ring: KeyRing, tmp_path: Path, database: str, tally: Callable[[str, int, int], None]
) -> None:
    done: Counter[str] = Counter()
    for seed in range(HISTORIES):
        arcade = await open_arcade(ring, *(f"{one}-{seed}" for one in PEOPLE), code=f"a-{seed}")
        people: dict[str, UUID] = {}
        for one in PEOPLE:
            people[one] = arcade.people[f"{one}-{seed}"]
            arcade.refs[one] = arcade.refs.pop(f"{one}-{seed}")
        arcade.people = people
        history = Histories(arcade=arcade, random=Random(seed), files=FileStore(tmp_path))
        for _ in range(STEPS):
            await history.step()
        await sound(arcade)
        done += history.done
    engine = database.split(":", maxsplit=1)[0]
    for what, floor in {
        "play: APPLIED": 12,
        "play: DUPLICATE": 1,
        "regret: APPLIED": 4,
        "regret: MEMBER_NOT_FOUND": 1,
        "foresee: PENDING": 4,
        "join: joined": 4,
        "part: parted": 2,
    }.items():
        tally(f"while records are joined and parted on {engine}: {what}", done[what], floor)
