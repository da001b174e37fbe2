"""Delivery: every member's events in order, at least once, whoever fails or is overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain.outbox import (
    PROGRAMME,
    Announced,
    Consumer,
    ConsumerUnavailable,
    Delivered,
    DeliveryLimits,
    deliver,
    drain,
    handing,
    is_due,
    outbox_status,
    parked,
    replay,
)
from domain.storage import (
    ConnectionLost,
    connection_statistics,
    execute,
    fetch_all,
    observed_statements,
)
from tests.domain.ledger.commands import ALICE, BOB, NOW
from tests.domain.outbox.listening import Listener, choking_on, tell

pytestmark = pytest.mark.usefixtures("database")

LIMITS = DeliveryLimits(tries_max=3, backoff_first_s=2, put_off_s=5)
CAROL = UUID(int=3)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


async def standing() -> dict[UUID, tuple[int, int, Any]]:
    """How far each stream came, how often its next event failed, and whose it is."""
    rows = await fetch_all("SELECT member_id, delivered_seq, attempts, lease FROM outbox_stream")
    return {row["member_id"]: (row["delivered_seq"], row["attempts"], row["lease"]) for row in rows}


async def test_each_consumer_gets_what_it_wants_in_the_order_of_the_streams() -> None:
    await tell("A", "B")
    await tell("C", member_id=BOB)
    await tell("D", member_id=None)
    await tell("E")
    everything, some, nothing = (
        Listener(),
        Listener("some", kinds=frozenset({"B", "C", "E"})),
        Listener("nothing", kinds=frozenset()),
    )
    consumers = [everything.consumer, some.consumer, nothing.consumer]
    assert await is_due(now=NOW)
    assert await deliver(consumers, now=NOW) == Delivered(streams=3, events=5)
    # In the order of the members' ids; the programme's is the smallest.
    assert (PROGRAMME < ALICE < BOB) is True
    assert everything.batches == [["D", "A", "B", "E", "C"]]
    assert some.batches == [["B", "E", "C"]]
    assert nothing.batches == []
    assert not await is_due(now=NOW)
    assert await deliver(consumers, now=NOW) == Delivered()
    await tell("F")
    assert await deliver(consumers, now=NOW) == Delivered(streams=1, events=1)
    assert everything.batches[1:] == [["F"]]
    assert await standing() == {ALICE: (4, 0, None), BOB: (1, 0, None), PROGRAMME: (1, 0, None)}


async def test_a_round_is_bounded_and_costs_the_same_statements_whatever_it_delivers() -> None:
    listener = Listener()
    counts = []
    for events in (3, 300):
        for member_id in (ALICE, BOB, CAROL):
            await tell(*(f"{n}" for n in range(events)), member_id=member_id)
        with observed_statements() as statements:
            assert await deliver([listener.consumer], now=NOW) == Delivered(
                streams=3, events=3 * events
            )
        counts.append(len(statements))
    assert counts == [4, 4]  # claim, read, lock, record

    few = DeliveryLimits(streams_max=2, events_max=10)
    for member_id in (ALICE, BOB, CAROL):
        await tell(*"12345678", member_id=member_id)
    assert await deliver([listener.consumer], now=NOW, limits=few) == Delivered(
        streams=2, events=10
    )
    assert (await drain([listener.consumer], clock=lambda: NOW, limits=few)).events == 14
    assert sorted(listener.heard[-24:]) == sorted("12345678" * 3)


async def test_an_event_that_fails_is_tried_alone_later_and_later_then_parked() -> None:
    await tell("A", "bad", "C")
    await tell("D", member_id=BOB)
    good, choking = Listener("good"), Listener("choking", fails=choking_on("bad"))
    consumers = [good.consumer, choking.consumer]

    assert await deliver(consumers, now=NOW, limits=LIMITS) == Delivered(
        streams=2, events=2, stopped=1
    )
    assert choking.batches == [["A", "bad", "C", "D"], ["A"], ["bad"], ["D"]]
    assert await standing() == {ALICE: (1, 1, None), BOB: (1, 0, None)}
    assert await deliver(consumers, now=after(1.9), limits=LIMITS) == Delivered()

    # The second time after two seconds, the third after four more.
    again = Delivered(streams=1, events=0, stopped=1)
    assert await deliver(consumers, now=after(2.5), limits=LIMITS) == again
    assert await deliver(consumers, now=after(6.4), limits=LIMITS) == Delivered()
    await tell("E")
    assert await parked(first=10) == []
    with capture_logs() as logs:
        assert await deliver(consumers, now=after(7), limits=LIMITS) == Delivered(
            streams=1, events=1, parked=1
        )
    [alert] = [line for line in logs if line["log_level"] == "error"]
    assert alert == {
        "event": "outbox_parked",
        "log_level": "error",
        "announced": f"{ALICE}:2",
        "kind": "bad",
        "consumer": "choking",
        "error": "ValueError",
        "attempts": 3,
    }
    # What came after it goes on, to both.
    assert await drain(consumers, clock=lambda: after(8), limits=LIMITS) == Delivered(
        streams=1, events=2
    )
    assert choking.batches[-1] == good.batches[-1] == ["C", "E"]
    [lost] = await parked(first=10)
    assert (lost.event.key, lost.event.kind, lost.consumer) == (f"{ALICE}:2", "bad", "choking")
    assert (lost.error, lost.detail, lost.attempts) == ("ValueError", "cannot digest bad", 3)
    assert lost.replay_at is None
    assert await standing() == {ALICE: (4, 0, None), BOB: (1, 0, None)}


async def test_two_consumers_may_fail_at_the_same_event() -> None:
    await tell("bad", "B")
    consumers = [
        Listener("one", fails=choking_on("bad")).consumer,
        Listener("two", fails=choking_on("bad", error=KeyError)).consumer,
    ]
    once = DeliveryLimits(tries_max=1)
    assert await drain(consumers, clock=lambda: NOW, limits=once) == Delivered(
        streams=2, events=2, parked=2
    )
    lost = {(one.consumer, one.error, one.event.seq) for one in await parked(first=10)}
    assert lost == {("one", "ValueError", 1), ("two", "KeyError", 1)}


@pytest.mark.parametrize("fault", [ConsumerUnavailable, ConnectionLost])
async def test_an_outage_counts_nothing_against_events(fault: type[Exception]) -> None:
    await tell("A", "B")
    await tell("C", member_id=BOB)
    well = Listener("well")
    away = Listener("away", fails=choking_on(*"ABC", error=fault))
    consumers = [well.consumer, away.consumer]
    for n in range(5):
        assert await deliver(consumers, now=after(5.5 * n), limits=LIMITS) == Delivered(
            streams=2, events=0, stopped=2
        )
        assert await deliver(consumers, now=after(5.5 * n + 4.9), limits=LIMITS) == Delivered()
    # It is asked once in a round, not for each event.
    assert away.batches == [["A", "B", "C"]] * 5 == well.batches
    assert await standing() == {ALICE: (0, 0, None), BOB: (0, 0, None)}
    away.fails = lambda _: None
    assert await deliver(consumers, now=after(60), limits=LIMITS) == Delivered(streams=2, events=3)
    assert await parked(first=1) == []


async def test_a_consumer_that_fails_at_everything_is_not_asked_for_everything() -> None:
    everybody = [UUID(int=n) for n in range(1, 21)]
    for member_id in everybody:
        await tell("A", member_id=member_id)
    broken = Listener(fails=choking_on("A"))
    assert await deliver([broken.consumer], now=NOW, limits=LIMITS) == Delivered(
        streams=20, events=0, stopped=20
    )
    assert [len(batch) for batch in broken.batches] == [20, 1, 1, 1, 1, 1]
    attempts = [attempts for _, attempts, _ in (await standing()).values()]
    assert sorted(attempts) == [0] * 15 + [1] * 5


async def test_a_consumer_that_hangs_at_an_event_is_left_after_its_time() -> None:
    async def hang(events: Sequence[Announced]) -> None:
        if any(event.kind == "bad" for event in events):
            await asyncio.Event().wait()

    await tell("A", "bad", "C")
    hasty = DeliveryLimits(lease_s=0.4, tries_max=1)
    consumers = [Consumer("hanging", None, hang)]
    assert await deliver(consumers, now=NOW, limits=hasty) == Delivered(
        streams=1, events=2, parked=1
    )
    assert [one.error for one in await parked(first=2)] == ["TimeoutError"]
    assert await deliver(consumers, now=NOW, limits=hasty) == Delivered(streams=1, events=1)


async def test_a_consumer_that_the_end_of_the_round_cut_short_is_not_to_blame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(handing, "monotonic", lambda: clock[0])

    async def hang(_: Sequence[Announced]) -> None:
        await asyncio.Event().wait()

    def dawdle(_: Sequence[Announced]) -> None:
        clock[0] += LIMITS.round_s - 0.01

    await tell("A")
    consumers = [Listener(fails=dawdle).consumer, Consumer("hanging", None, hang)]
    assert await deliver(consumers, now=NOW, limits=LIMITS) == Delivered(
        streams=1, events=0, stopped=1
    )
    assert await standing() == {ALICE: (0, 0, None)}


async def test_a_round_whose_time_is_up_leaves_the_rest_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(handing, "monotonic", lambda: clock[0])

    def dawdle(events: Sequence[Announced]) -> None:
        clock[0] += 15  # Of the 20 seconds that a round may take.

    await tell("A", "B")
    slow, late = Listener("slow", fails=dawdle), Listener("late", fails=dawdle)
    consumers = [slow.consumer, late.consumer, Listener("later").consumer]
    assert await deliver(consumers, now=NOW, limits=LIMITS) == Delivered(
        streams=1, events=0, stopped=1
    )
    assert (slow.batches, late.batches) == ([["A", "B"]], [["A", "B"]])
    # Nobody is to blame.
    assert await standing() == {ALICE: (0, 0, None)}
    slow.fails = late.fails = lambda _: None
    assert await deliver(consumers, now=after(5.5), limits=LIMITS) == Delivered(streams=1, events=2)


class Slow:
    """A consumer that works for as long as the test wants."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.consumer = Consumer("slow", None, self.take)

    async def take(self, _: Sequence[Announced]) -> None:
        self.begun.set()
        await self.may_end.wait()


async def test_a_stream_belongs_to_one_worker_until_its_lease_ends() -> None:
    await tell("A")
    slow, other = Slow(), Listener()
    first = asyncio.create_task(deliver([slow.consumer], now=NOW, limits=LIMITS))
    await slow.begun.wait()

    # Nothing is locked meanwhile: the member's stream grows, and other streams are delivered.
    await tell("B")
    await tell("C", member_id=BOB)
    statistics = connection_statistics()
    assert statistics["idle"] == statistics["open"]
    assert await deliver([other.consumer], now=after(29), limits=LIMITS) == Delivered(
        streams=1, events=1
    )
    assert other.batches == [["C"]]

    # It was not heard of for the time of its lease: another takes over, and it records nothing.
    assert await deliver([other.consumer], now=after(31), limits=LIMITS) == Delivered(
        streams=1, events=2
    )
    assert other.batches == [["C"], ["A", "B"]]
    await tell("D")
    slow.may_end.set()
    with capture_logs() as logs:
        assert await first == Delivered(streams=1, overtaken=1)
    assert [line["event"] for line in logs] == ["outbox_lease_lost"]
    assert (await standing())[ALICE] == (2, 0, None)
    assert await deliver([other.consumer], now=after(31), limits=LIMITS) == Delivered(
        streams=1, events=1
    )


async def test_a_worker_that_is_cancelled_gives_its_streams_back() -> None:
    await tell("A")
    slow = Slow()
    round_ = asyncio.create_task(deliver([slow.consumer], now=NOW))
    await slow.begun.wait()
    round_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await round_
    assert await deliver([Listener().consumer], now=NOW) == Delivered(streams=1, events=1)


async def test_what_is_parked_is_replayed_when_somebody_asks() -> None:
    await tell("bad", "worse", "C")
    listener = Listener(fails=choking_on("bad", "worse"))
    once = DeliveryLimits(tries_max=1)

    async def go(seconds: float = 0) -> None:
        await drain([listener.consumer], clock=lambda: after(seconds), limits=once)

    await go()
    assert [one.event.kind for one in await parked(first=10)] == ["bad", "worse"]
    listener.batches.clear()
    await go()
    assert listener.batches == []

    assert await replay(now=NOW, event=f"{ALICE}:3") == await replay(now=NOW, event="x") == 0
    assert await replay(now=NOW, consumer="another") == 0
    assert await replay(now=NOW, event=f"{ALICE}:1", consumer="listener") == 1
    assert await is_due(now=NOW)
    with capture_logs() as logs:
        await go(1)
    assert listener.batches == [["bad"]]
    assert [line["event"] for line in logs] == ["consumer_failed", "outbox_parked"]
    assert not await is_due(now=after(1_000))
    [worse, bad] = await parked(first=10)  # The one parked longest ago comes first.
    assert (bad.attempts, bad.replay_at, worse.attempts) == (2, None, 1)

    listener.fails = lambda _: None
    # An event may be forgotten by then: what is parked has all that is needed.
    await execute("DELETE FROM outbox")
    assert await replay(now=after(2)) == 2
    await go(2)
    assert listener.batches == [["bad"], ["bad"], ["worse"]]
    assert await parked(first=10) == []


async def test_what_a_dead_worker_was_replaying_becomes_due_again() -> None:
    await tell("bad")
    listener = Listener(fails=choking_on("bad"))
    once = DeliveryLimits(tries_max=1)
    await drain([listener.consumer], clock=lambda: NOW, limits=once)
    await replay(now=NOW)
    slow = Slow()
    stuck = Consumer("listener", None, slow.take)
    dying = asyncio.create_task(drain([stuck], clock=lambda: NOW, limits=once))
    await slow.begun.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    assert not await is_due(now=after(29))
    assert await is_due(now=after(30))


async def test_a_consumer_that_is_gone_leaves_its_events_parked() -> None:
    await tell("bad")
    listener = Listener(fails=choking_on("bad"))
    await drain([listener.consumer], clock=lambda: NOW, limits=DeliveryLimits(tries_max=1))
    await replay(now=NOW)
    await drain([], clock=lambda: NOW)
    [left] = await parked(first=2)
    assert (left.error, left.detail) == ("LookupError", "no consumer is called listener")


async def test_missing_events_are_told_and_passed_over() -> None:
    await tell(*"ABCD")
    await execute("DELETE FROM outbox WHERE seq <= 2")
    listener = Listener()
    with capture_logs() as logs:
        assert await deliver([listener.consumer], now=NOW) == Delivered(streams=1, events=4)
    assert [(line["event"], line["seq"]) for line in logs] == [("outbox_gap", 1)]
    assert listener.heard == ["C", "D"]
    await tell("E")
    await execute("DELETE FROM outbox")
    assert await deliver([listener.consumer], now=NOW) == Delivered(streams=1, events=1)
    assert (await standing())[ALICE] == (5, 0, None)


async def test_the_status_counts_what_is_left() -> None:
    status = await outbox_status()
    assert (status.undelivered, status.streams, status.retrying, status.parked) == (0, 0, 0, 0)
    assert status.lag_s(NOW) == 0
    await tell("bad", "B", "C")
    await tell("D", member_id=BOB)
    listener = Listener(fails=choking_on("bad"))
    status = await outbox_status()
    assert (status.undelivered, status.streams, status.lag_s(after(90))) == (4, 2, 90)
    await deliver([listener.consumer], now=NOW, limits=LIMITS)
    status = await outbox_status()
    assert (status.undelivered, status.streams, status.retrying, status.parked) == (3, 1, 1, 0)
    assert status.oldest_at == NOW
    once = DeliveryLimits(tries_max=1)
    await drain([listener.consumer], clock=lambda: after(60), limits=once)
    status = await outbox_status()
    assert (status.undelivered, status.streams, status.retrying, status.parked) == (0, 0, 0, 1)
