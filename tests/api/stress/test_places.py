"""Places: who is let in, who comes next, and who is refused at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.stress.places import NoPlace, Place, Places, Reason
from api.stress.settings import StressSettings


def places(**bounds: Any) -> Places:
    return Places(StressSettings(**bounds))


async def turn_of_the_loop(times: int = 3) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


@dataclass(slots=True)
class Request:
    """A request that enters and stays until it is told to leave; `log` has who got in, in order."""

    places: Places
    caller: Hashable
    log: list[Hashable] = field(default_factory=list)
    place: Place | None = None
    refused: Reason | None = None

    def begin(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._enter())

    async def _enter(self) -> None:
        try:
            self.place = await self.places.enter(self.caller)
        except NoPlace as refusal:
            self.refused = refusal.reason
        else:
            self.log.append(self.caller)

    def leave(self) -> None:
        assert self.place is not None
        self.place.leave()


def assert_empty(all_places: Places) -> None:
    assert (all_places.executing, all_places.inside, all_places.queued) == (0, 0, 0)
    assert all_places._lanes == {}
    assert all_places._subjects == {}
    assert not all_places._ring
    assert not all_places._returning


async def test_who_finds_a_place_enters_at_once_and_gives_it_back() -> None:
    room = places(executing_max=1)
    before = asyncio.get_running_loop().time()
    place = await room.enter("a")
    assert before <= place.entered_at <= asyncio.get_running_loop().time()
    assert (room.executing, room.inside, room.queued) == (1, 1, 0)
    place.leave()
    place.leave()
    assert_empty(room)


async def test_places_go_round_the_callers() -> None:
    """A caller with one request waits for one of each other caller, not for all of them."""
    room = places(executing_max=1)
    first = await room.enter("x")
    log: list[Hashable] = []
    requests = [Request(room, caller, log) for caller in "aaaabbc"]
    tasks = [request.begin() for request in requests]
    await turn_of_the_loop()
    assert room.queued == 7
    first.leave()
    for turn in range(7):
        await turn_of_the_loop()
        assert len(log) == turn + 1
        next(one for one in requests if one.place is not None and not one.place.left).leave()
    assert "".join(map(str, log)) == "abcabaa"
    await asyncio.gather(*tasks)
    assert_empty(room)


async def test_a_burst_is_let_in_and_worked_off() -> None:
    # A machine that stands still for a moment makes no queue that stands.
    room = places(executing_max=4, burst_s_max=30.0)
    requests = [Request(room, caller % 3) for caller in range(200)]
    tasks = [request.begin() for request in requests]
    await turn_of_the_loop()
    assert (room.executing, room.queued) == (4, 196)
    while any(one.place is None for one in requests):
        for request in requests:
            if request.place is not None:
                request.leave()
        await turn_of_the_loop()
    await asyncio.gather(*tasks)
    for request in requests:
        request.leave()
    assert [request.refused for request in requests] == [None] * 200
    assert_empty(room)


async def test_who_would_wait_longer_than_a_burst_may_take_is_refused_at_once() -> None:
    # A turn is taken to last 5 ms until it is known, so that the eleventh would wait 55 ms.
    room = places(executing_max=1, burst_s_max=0.05)
    place = await room.enter("x")
    requests = [Request(room, "a") for _ in range(12)]
    tasks = [request.begin() for request in requests]
    await turn_of_the_loop()
    assert [one.refused for one in requests] == [None] * 10 + [Reason.QUEUE_TOO_LONG] * 2
    assert room.queued == 10
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    place.leave()
    assert_empty(room)


async def test_before_a_queue_that_stands_nobody_waits_longer_than_a_moment() -> None:
    room = places(executing_max=1, burst_s_max=0.01, standing_s_max=0.02)
    place = await room.enter("x")
    first = Request(room, "a")
    task = first.begin()
    await asyncio.sleep(0.015)  # The burst is over, and its queue stands still.
    began = asyncio.get_running_loop().time()
    second = Request(room, "b")
    await second.begin()
    assert second.refused is None or second.refused is Reason.QUEUE_TOO_LONG
    third = Request(room, "c")
    await asyncio.sleep(0.02)
    await third.begin()
    assert third.refused is Reason.QUEUE_TOO_LONG, "nobody's turn has come for 35 ms"
    assert asyncio.get_running_loop().time() - began < 0.2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    place.leave()
    assert_empty(room)


async def test_a_busy_caller_waits_for_itself_and_nobody_for_it() -> None:
    room = places(executing_max=8, caller_in_flight_max=2, caller_queued_max=1)
    own = [await room.enter("a"), await room.enter("a")]
    waiting, refused, other = Request(room, "a"), Request(room, "a"), Request(room, "b")
    task = waiting.begin()
    await turn_of_the_loop()
    await refused.begin()
    await other.begin()
    assert refused.refused is Reason.CALLER_TOO_BUSY
    assert other.place is not None, "the others do not queue behind it"
    own[0].leave()
    await task
    assert waiting.place is not None
    late = Request(room, "a")
    began = asyncio.get_running_loop().time()
    await late.begin()
    assert late.refused is Reason.CALLER_TOO_BUSY
    assert 0.01 < asyncio.get_running_loop().time() - began < 0.2
    for place in (own[1], waiting.place, other.place):
        place.leave()
    assert_empty(room)


async def test_a_caller_is_counted_over_all_its_tokens() -> None:
    room = places(caller_in_flight_max=2)
    held = [await room.enter(f"token {number}") for number in range(3)]
    held[0].belongs_to("member")
    held[1].belongs_to("member")
    with pytest.raises(NoPlace) as refusal:
        held[2].belongs_to("member")
    assert refusal.value.reason is Reason.CALLER_TOO_BUSY
    held[0].leave()
    held[2].belongs_to("member")
    for place in held:
        place.leave()
    assert_empty(room)


async def test_the_process_holds_no_more_than_it_may() -> None:
    room = places(executing_max=1, inside_max=2)
    place = await room.enter("a")
    place.step_out()
    second = await room.enter("b")
    third = Request(room, "c")
    await third.begin()
    assert third.refused is Reason.PROCESS_FULL
    place.leave()
    second.leave()
    assert_empty(room)


async def test_who_waits_for_others_gives_the_place_up_and_comes_back_first() -> None:
    room = places(executing_max=1)
    log: list[Hashable] = []
    away = await room.enter("away")
    away.step_out()
    assert room.executing == 0
    working = await room.enter("working")
    newcomer = Request(room, "newcomer", log)
    task = newcomer.begin()

    async def come_back() -> None:
        await away.step_in()
        log.append("away")

    back = asyncio.create_task(come_back())
    await turn_of_the_loop()
    assert log == []
    working.leave()
    await back
    assert log == ["away"], "it was let in already; the newcomer was not"
    away.leave()
    await task
    assert log == ["away", "newcomer"]
    newcomer.leave()
    assert_empty(room)


async def test_stepping_out_may_be_nested() -> None:
    room = places(executing_max=1)
    place = await room.enter("a")
    place.step_out()
    place.step_out()
    await place.step_in()
    assert room.executing == 0
    await place.step_in()
    assert room.executing == 1
    place.leave()
    assert_empty(room)


async def test_whatever_happens_in_whatever_order_every_place_comes_back() -> None:
    """Random entering, stepping out, cancelling and leaving; then nothing is held, and all is open.

    At no moment are more places taken than there are.
    """
    dice = random.Random(20_261_123)
    room = places(executing_max=3, caller_in_flight_max=4, caller_queued_max=2, inside_max=40)

    async def request() -> None:
        place = await room.enter(dice.randrange(6))
        assert room.executing <= 3
        try:
            if dice.random() < 0.3:
                place.belongs_to(dice.randrange(4))
            for _ in range(dice.randrange(3)):
                place.step_out()
                await asyncio.sleep(dice.choice([0, 0.001]))
                await place.step_in()
                assert room.executing <= 3
            await asyncio.sleep(dice.choice([0, 0.001]))
        finally:
            place.leave()

    tasks: list[asyncio.Task[None]] = []
    for _ in range(1_500):
        tasks.append(asyncio.create_task(request()))
        if dice.random() < 0.3:
            dice.choice(tasks).cancel()
        if dice.random() < 0.2:
            await asyncio.sleep(dice.choice([0, 0.001, 0.003]))
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = {type(one) for one in ended}
    assert kinds == {type(None), NoPlace, asyncio.CancelledError}
    assert sum(one is None for one in ended) > 300
    assert_empty(room)
