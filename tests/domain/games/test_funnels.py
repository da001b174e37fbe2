"""Funnels against a model: random crowds, batches told again, at once and out of order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from time import perf_counter

import pytest

from domain import games
from domain.custody import MergeBecause, merge, part
from domain.games import GameEvent, GameEventKind, forget_game_events, visitors
from domain.games.funnel import cost_of
from domain.games.visitors import Sighting, Visitor
from domain.members import ById
from domain.storage import dialect, observed_statements, transaction
from tests.domain.games.arcade import NOW
from tests.domain.games.visiting import Crowd, gather_crowd, rows_of
from tests.domain.purchases.shop import open_shop

pytestmark = pytest.mark.usefixtures("database")

HISTORIES, STEPS = 2, 10
HISTORIES_OF_A_SOAK, STEPS_OF_A_SOAK = 60, 40
EVENTS, EVENTS_OF_A_SOAK = 3_000, 100_000
READ_S_MAX = 0.050


async def a_history(dice: random.Random, *, steps: int) -> tuple[Crowd, int, int]:
    """A crowd after some steps; how many events were told, and how many of them were taken."""
    crowd = await gather_crowd(dice)
    told = accepted = duplicates = 0
    for step in range(steps):
        batches = []
        for turn in range(dice.randrange(1, 4)):
            fresh = [crowd.happen(dice) for _ in range(dice.randrange(1, 9))]
            old = [crowd.events[one] for one in crowd.sent if dice.random() < 0.1]
            batch = [*fresh, *old[:8], *fresh[:1]]
            dice.shuffle(batch)
            batches.append(crowd.tell(f"b{step}.{turn}", batch))
            told += len(batch)
        who = dice.choice(sorted(crowd.people))
        bought = crowd.buy(who, NOW - timedelta(hours=dice.randrange(24 * 25)))
        answers, _ = await asyncio.gather(asyncio.gather(*batches), bought)
        accepted += sum(one.accepted for one in answers)
        duplicates += sum(one.duplicates for one in answers)
        if dice.random() < 0.3:
            await crowd.deliver()
    assert accepted + duplicates == told
    return crowd, told, accepted


@pytest.mark.soak
async def test_funnels_are_what_their_definitions_say(
    full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    histories = HISTORIES_OF_A_SOAK if full_form else HISTORIES
    # One database for all: what they tell of is apart by the partner, so one history is enough.
    await open_shop("nobody")
    dice = random.Random(20260301)
    crowd, told, accepted = await a_history(
        dice, steps=histories * (STEPS_OF_A_SOAK if full_form else STEPS)
    )
    assert accepted == len(crowd.sent) == await rows_of("game_event")
    await crowd.deliver()
    assert await crowd.differs() == []
    expected = [crowd.expected(one) for one in crowd.campaigns]
    assert all(min(one.players, one.new_members, one.buyers) > 0 for one in expected)
    tally(f"events told of crowds on {dialect()}", told, 100)
    tally(f"of them told again on {dialect()}", told - accepted, 20)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bug", ["first touch", "players", "devices"])
async def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    if bug == "first touch":

        def seen(self: Visitor, sighting: Sighting) -> Visitor:
            played = self.played or sighting.plays
            return replace(self, played=played, member_id=self.member_id or sighting.member_id)

        monkeypatch.setattr(visitors.Visitor, "seen", seen)
    elif bug == "players":

        def after(before: Visitor | None, seen: Sequence[Sighting]) -> Visitor:
            quiet = [replace(one, plays=one.plays and before is None) for one in seen]
            return plain(before, quiet)

        plain = visitors._after
        monkeypatch.setattr(visitors, "_after", after)
    else:
        read = games.funnel._READ.replace("COUNT(DISTINCT ", "COUNT(")
        monkeypatch.setattr(games.funnel, "_READ", read)
    await open_shop("nobody")
    crowd, _, _ = await a_history(random.Random(7), steps=8)
    await crowd.deliver()
    assert await crowd.differs() != []


async def test_who_is_one_person_counts_once_and_as_two_again() -> None:
    """Two records on a device each, one of which bought: joined, and parted again."""
    crowd = await gather_crowd(random.Random(1))
    campaign = crowd.campaigns[1]
    for number, name in enumerate(("m0", "m1")):
        one = GameEvent(
            external_id=str(number),
            campaign=str(campaign.id),
            campaign_id=campaign.id,
            kind=GameEventKind.PLAY,
            visitor=f"v{number}",
            at=NOW - timedelta(days=29),
            member=ById(crowd.people[name]),
        )
        await crowd.tell(f"b{number}", [one])
    assert await counted(crowd) == (2, 2)
    keeper, loser = crowd.people["m0"], crowd.people["m1"]
    joined = await transaction(
        lambda: merge(keeper, loser, because=MergeBecause.STAFF, by="staff:clerk", now=NOW)
    )
    assert joined is not None
    assert await counted(crowd) == (2, 1)
    await transaction(lambda: part(joined, by="staff:clerk", now=NOW))
    assert await counted(crowd) == (2, 2)


async def counted(crowd: Crowd) -> tuple[int, int]:
    """Visitors and new members of the open campaign."""
    [_, campaign] = crowd.campaigns
    found = await games.funnels([campaign], point_cost_fen=games.POINT_COST_FEN)
    return found[campaign.id].visitors, found[campaign.id].new_members


async def test_what_is_forgotten_still_counts_and_cannot_come_again() -> None:
    crowd = await gather_crowd(random.Random(1))
    events = [crowd.happen(random.Random(n)) for n in range(5)]
    await crowd.tell("b1", events)
    before = await games.funnels(crowd.campaigns, point_cost_fen=games.POINT_COST_FEN)
    assert await forget_game_events(before=NOW) == 0
    assert await forget_game_events(before=NOW + timedelta(seconds=1)) == 5
    assert await rows_of("game_event") == 0
    after = await games.funnels(crowd.campaigns, point_cost_fen=games.POINT_COST_FEN)
    assert after == before
    assert timedelta(days=30) < games.EVENTS_KEPT, "so long ago it is refused as too old"


@pytest.mark.parametrize(
    ("points", "cost", "fen"),
    [
        (0, "1", 0),
        (7, "1", 7),
        (3, "0.5", 2),
        (1, "0.49", 0),
        (10, "0.25", 3),
        (10**15, "2", 2 * 10**15),
    ],
)
def test_what_points_cost_is_whole_fen(points: int, cost: str, fen: int) -> None:
    assert cost_of(points, point_cost_fen=Decimal(cost)) == fen


@pytest.mark.soak
async def test_a_long_campaign_is_told_and_read_quickly(
    full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    """As many statements for a batch of 500 as for one of 5; a funnel within 50 milliseconds."""
    crowd = await gather_crowd(random.Random(1))
    campaign = crowd.campaigns[1]
    crowd.visitors = {f"v{n}": f"m{n % 8}" for n in range(EVENTS_OF_A_SOAK // 3)}

    def batch(number: int, size: int) -> list[GameEvent]:
        dice = random.Random(number)
        events = []
        for place in range(size):
            visitor = dice.choice(range(len(crowd.visitors)))
            events.append(
                GameEvent(
                    external_id=f"{number}.{place}",
                    campaign=str(campaign.id),
                    campaign_id=campaign.id,
                    kind=dice.choice(list(GameEventKind)),
                    visitor=f"v{visitor}",
                    at=NOW - timedelta(seconds=dice.randrange(10**6)),
                    member=ById(crowd.people[f"m{visitor % 8}"]),
                )
            )
        return events

    sent = []
    for number, size in enumerate((5, 500)):
        with observed_statements() as statements:
            await crowd.tell(f"b{number}", batch(number, size))
        # On SQLite each row is a statement of its own, sent together with the others.
        sent.append(len(set(statements)))
    assert sent[1] <= sent[0] + 1
    events = EVENTS_OF_A_SOAK if full_form else EVENTS
    began = perf_counter()
    for number in range(2, events // 500):
        await crowd.tell(f"b{number}", batch(number, 500))
    rate = int((events - 1_000) / (perf_counter() - began))
    tally(f"game events kept a second on {dialect()}", rate, 100)
    reads = []
    for _ in range(5):
        began = perf_counter()
        await games.funnels([campaign], point_cost_fen=games.POINT_COST_FEN)
        reads.append(perf_counter() - began)
    assert min(reads) < READ_S_MAX
    tally(f"microseconds to read a funnel on {dialect()}", int(min(reads) * 1e6), 1)
