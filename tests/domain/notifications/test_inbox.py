"""The inbox and what tells a client that something is new; on both databases."""

from __future__ import annotations

import orjson
import pytest

from domain.notifications import Freshness, Notification, freshness, notify
from domain.outbox import Event, announce, stream
from domain.storage import dialect, execute, fetch_all, observed_statements, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW

pytestmark = pytest.mark.usefixtures("database")


def told(kind: str, **facts: object) -> Notification:
    return Notification(member_id=ALICE, kind=kind, facts=facts)


async def test_notifications_are_put_into_their_members_inbox() -> None:
    with observed_statements() as statements:
        await notify([], now=NOW)
        await notify(
            [told("LEVEL_REACHED", level="gold"), told("WELCOME", words="你好 🎁")], now=NOW
        )
    # The notifications, and the event of each: its stream and itself, together on PostgreSQL.
    assert len(statements) == (2 if dialect() == "postgres" else 3)
    rows = await fetch_all(
        "SELECT member_id, id, kind, facts, created_at, read_at FROM notification ORDER BY id"
    )
    # Identifiers grow with time, so that the inbox is read in the order of its writing.
    assert [(row["kind"], orjson.loads(row["facts"])) for row in rows] == [
        ("LEVEL_REACHED", {"level": "gold"}),
        ("WELCOME", {"words": "你好 🎁"}),
    ]
    for row in rows:
        assert (row["member_id"], row["created_at"], row["read_at"]) == (ALICE, NOW, None)
        assert row["id"].version == 7


async def test_every_notification_is_announced_after_what_led_to_it() -> None:
    async def work() -> None:
        await announce([Event(kind="Cause", member_id=ALICE, facts={})], now=NOW)
        await notify([told("WELCOME")], now=NOW)

    await transaction(work)
    [row] = await fetch_all("SELECT id FROM notification")
    assert [(one.kind, one.facts) for one in await stream(ALICE, after=0, limit=10)] == [
        ("Cause", {}),
        ("Notified", {"notification_id": str(row["id"]), "kind": "WELCOME"}),
    ]


async def test_a_notification_of_a_transaction_that_fails_was_never_there() -> None:
    async def work() -> None:
        await notify([told("WELCOME")], now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transaction(work)
    assert await fetch_all("SELECT 1 FROM notification") == []


async def test_freshness_counts_what_is_unread_and_follows_the_newest_event() -> None:
    assert await freshness(ALICE) == Freshness(version=0, unread=0)
    await notify([told("A"), told("B")], now=NOW)
    assert await freshness(ALICE) == Freshness(version=2, unread=2)
    await announce(
        [
            Event(kind="First", member_id=ALICE, facts={}),
            Event(kind="Second", member_id=ALICE, facts={}),
            Event(kind="Third", member_id=BOB, facts={}),
            Event(kind="Fourth", member_id=None, facts={}),
        ],
        now=NOW,
    )
    with observed_statements() as statements:
        assert await freshness(ALICE) == Freshness(version=4, unread=2)
    assert len(statements) == 1
    assert await freshness(BOB) == Freshness(version=1, unread=0)
    await execute("UPDATE notification SET read_at = $1 WHERE kind = 'A'", NOW)
    # What is read, or no longer kept, does not make a version older.
    await execute("DELETE FROM outbox")
    assert await freshness(ALICE) == Freshness(version=4, unread=1)
