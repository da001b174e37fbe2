"""Events exist exactly if the effect that they tell of does, in the order of their telling."""

from __future__ import annotations

import orjson
import pytest

from domain.outbox import Event, announce
from domain.storage import fetch_all, observed_statements, transaction
from tests.domain.ledger.commands import ALICE, NOW

pytestmark = pytest.mark.usefixtures("database")


async def test_events_are_written_in_their_order_with_their_facts() -> None:
    events = [
        Event(kind="PointsChanged", member_id=ALICE, facts={"seq": n, "words": "积分"})
        for n in range(300)
    ]
    with observed_statements() as statements:
        await announce([], now=NOW)
        await announce(events, now=NOW)
    assert len(statements) == 1
    rows = await fetch_all("SELECT * FROM outbox ORDER BY id")
    assert [orjson.loads(row["payload"]) for row in rows] == [event.facts for event in events]
    assert {row["kind"] for row in rows} == {"PointsChanged"}
    assert {(row["member_id"], row["announced_at"], row["delivered_at"]) for row in rows} == {
        (ALICE, NOW, None)
    }


async def test_an_event_of_a_transaction_that_fails_was_never_announced() -> None:
    async def work() -> None:
        await announce([Event(kind="A", member_id=None, facts={})], now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transaction(work)
    assert await fetch_all("SELECT 1 FROM outbox") == []
