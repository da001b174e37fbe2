"""Effects in the database happen once, however often their event is handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from domain.outbox import (
    Announced,
    Consumer,
    DeliveryLimits,
    StreamPositionLost,
    consume_once,
    deliver,
    drain,
    first_kept,
    forget,
    parked,
    replay,
    stream,
)
from domain.storage import execute, fetch_all
from tests.domain.ledger.commands import ALICE, BOB, NOW
from tests.domain.outbox.listening import tell

pytestmark = pytest.mark.usefixtures("database")


async def count_up(events: Sequence[Announced]) -> None:
    """An effect that shows how often it happened: a theme whose name grows."""
    for event in events:
        await execute(
            "INSERT INTO theme (code, name_zh, name_en) VALUES ($1, 'x', 'x') "
            "ON CONFLICT (code) DO UPDATE SET name_en = theme.name_en || 'x'",
            event.kind,
        )


async def effects() -> dict[str, int]:
    rows = await fetch_all("SELECT code, name_en FROM theme")
    return {row["code"]: len(row["name_en"]) for row in rows}


async def marks() -> list[tuple[str, int]]:
    rows = await fetch_all("SELECT consumer, seq FROM outbox_consumed ORDER BY consumer, seq")
    return [(row["consumer"], row["seq"]) for row in rows]


async def test_each_event_takes_effect_once_for_each_consumer() -> None:
    await tell("a", "b")
    events = await stream(ALICE, after=0, limit=10)
    assert await consume_once("one", events[:1], count_up) == 1
    assert await consume_once("one", events, count_up) == 1
    assert await consume_once("one", events, count_up) == 0
    assert await consume_once("one", [], count_up) == 0
    assert await effects() == {"a": 1, "b": 1}
    assert await consume_once("two", events, count_up) == 2
    assert await effects() == {"a": 2, "b": 2}
    assert await marks() == [("one", 1), ("one", 2), ("two", 1), ("two", 2)]


async def test_an_effect_that_fails_leaves_no_mark() -> None:
    await tell("a", "b")
    events = await stream(ALICE, after=0, limit=10)

    async def fail_late(events: Sequence[Announced]) -> None:
        await count_up(events)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await consume_once("one", events, fail_late)
    assert (await effects(), await marks()) == ({}, [])


async def test_of_workers_with_the_same_events_one_has_the_effect() -> None:
    await tell("a", "b")
    await tell("c", member_id=BOB)
    events = [*await stream(ALICE, after=0, limit=9), *await stream(BOB, after=0, limit=9)]
    consumed = await asyncio.gather(
        *(consume_once("one", order, count_up) for order in [events, events[::-1]] * 5)
    )
    assert sum(consumed) == 3
    assert await effects() == {"a": 1, "b": 1, "c": 1}


async def test_what_is_old_and_delivered_is_forgotten_with_its_marks() -> None:
    async def take(events: Sequence[Announced]) -> None:
        await consume_once("one", events, count_up)

    consumers = [Consumer("one", None, take)]
    await tell("a", "b")
    await tell("c", member_id=BOB)
    soon, later = NOW + timedelta(seconds=1), NOW + timedelta(days=1)
    assert await forget(before=soon) == 0  # Not delivered yet.
    assert (await deliver(consumers, now=NOW)).events == 3
    await tell("d", "e")
    assert await forget(before=NOW) == 0  # Not old enough.

    assert await forget(before=soon, events_max=2) == 2
    assert await forget(before=soon, events_max=2) == 1
    assert await forget(before=soon, events_max=2) == 0
    assert await marks() == []
    assert [event.kind for event in await stream(ALICE, after=2, limit=9)] == ["d", "e"]
    assert (await first_kept(ALICE), await first_kept(BOB)) == (2, 1)
    with pytest.raises(StreamPositionLost):
        await stream(ALICE, after=1, limit=9)

    assert (await deliver(consumers, now=NOW)).events == 2
    assert await forget(before=later) == 2
    assert await stream(ALICE, after=4, limit=9) == []
    assert await fetch_all("SELECT 1 FROM outbox") == []


async def test_the_marks_of_parked_events_outlive_their_events() -> None:
    """A consumer that did its work and then failed is handed the event again by a replay."""
    fails = True

    async def take(events: Sequence[Announced]) -> None:
        await consume_once("one", events, count_up)
        if fails and "bad" in {event.kind for event in events}:
            raise ValueError("after the effect")

    consumers = [Consumer("one", None, take)]
    await tell("a", "bad", "c")
    await drain(consumers, clock=lambda: NOW, limits=DeliveryLimits(tries_max=1))
    assert await marks() == [("one", 1), ("one", 2), ("one", 3)]
    assert await forget(before=NOW + timedelta(days=1)) == 3
    assert await marks() == [("one", 2)]

    fails = False
    assert await replay(now=NOW) == 1
    await drain(consumers, clock=lambda: NOW)
    assert await parked(first=1) == []
    assert await effects() == {"a": 1, "bad": 1, "c": 1}
    # What is parked no longer goes with the next events that are forgotten.
    await tell("d")
    await drain(consumers, clock=lambda: NOW)
    assert await forget(before=NOW + timedelta(days=1)) == 1
    assert await marks() == []


async def test_only_beginnings_of_streams_are_forgotten() -> None:
    """Numbers follow commits and times follow requests, so the two may differ in order."""
    await tell("a", "b", "c", "d")
    await deliver([], now=NOW)
    await execute("UPDATE outbox SET announced_at = $1 WHERE seq <> 3", NOW + timedelta(days=1))
    assert await forget(before=NOW + timedelta(seconds=1)) == 1
    assert [event.kind for event in await stream(ALICE, after=3, limit=9)] == ["d"]
    assert await first_kept(ALICE) == 3
