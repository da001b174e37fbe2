"""Deliveries as they are kept: written down, claimed, recorded, read, sent again, forgotten.

A delivery is claimed by writing a lease into its row: one statement that commits at once, so that
no transaction is open while a server is waited for. `next_at` is then the end of the lease: what a
sender that died had claimed is due again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.errors import InvalidInput, MemberNotFound
from domain.members import MemberRef, lock_members, resolve_members
from domain.notifications.channels.deciding import DeliveryState, channels_for
from domain.notifications.channels.reaching import OpenChannels, reach
from domain.notifications.quiet import Channel
from domain.outbox import Announced, Consumer, consume_once
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, execute, execute_many, fetch_all, transaction

NAME: Final = "deliveries"
LEASE: Final = timedelta(seconds=120)
"""Longer than an attempt may take."""

IDS_MAX: Final = 500
REPLAYED_MAX: Final = 10_000
FORGOTTEN_AT_ONCE: Final = 5_000
_LAST: Final = UUID(int=2**128 - 1)

_COLUMNS: Final = (
    "member_id, id, notification_id, channel, state, claims, attempts, created_at, next_at,"
    " last_at, reason, sent_at"
)
# As its notification, it goes back with the merge that brought it.
_WRITE: Final = """
    INSERT INTO notification_delivery
        (member_id, id, notification_id, channel, state, created_at, next_at, came_with)
    SELECT member_id, $3, id, $4, 'WAITING', $5, $5, came_with
    FROM notification WHERE member_id = $1 AND id = $2
    ON CONFLICT (notification_id, channel) DO NOTHING
"""

# Whosever the delivery before it is by now.
_WRITE_NEXT: Final = """
    INSERT INTO notification_delivery
        (member_id, id, notification_id, channel, state, created_at, next_at, came_with)
    SELECT member_id, $2, notification_id, $3, 'WAITING', $4, $4, came_with
    FROM notification_delivery WHERE id = $1
    ON CONFLICT (notification_id, channel) DO NOTHING
"""

_CLAIM: Final = f"""
    UPDATE notification_delivery SET lease = $1, next_at = $2, claims = claims + 1
    WHERE (member_id, id) IN (
        WITH due AS MATERIALIZED (
            SELECT member_id, id FROM notification_delivery
            WHERE channel = $3 AND state = 'WAITING' AND next_at <= $4
            ORDER BY next_at, id
            LIMIT $5
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT member_id, id FROM due
    )
    RETURNING {_COLUMNS}
"""

_TOLD: Final = """
    SELECT member_id, id, kind, facts, created_at FROM notification
    WHERE member_id = ANY($1::uuid[]) AND id = ANY($2::uuid[])
"""

# By its id alone: a merge may have moved the row to another record meanwhile.
_RECORD: Final = """
    UPDATE notification_delivery
    SET state = $3, attempts = $4::integer, claims = $4::integer, next_at = $5::timestamptz,
        lease = NULL, last_at = $6::timestamptz, reason = $7::text, sent_at = $8::timestamptz
    WHERE id = $1 AND lease = $2
"""

# What is under way now is left alone: it is being sent.
_REPLAY: Final = """
    UPDATE notification_delivery
    SET state = 'WAITING', attempts = 0, claims = 0, next_at = $1::timestamptz, lease = NULL,
        sent_at = NULL
    WHERE id IN (
        SELECT id FROM notification_delivery
        WHERE {which} AND state NOT IN ('SENT', 'WAITING')
        ORDER BY id LIMIT $3
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notification on its way by one channel."""

    member_id: UUID
    id: UUID
    notification_id: UUID
    channel: Channel
    state: DeliveryState
    claims: int
    attempts: int
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    reason: str | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is to be told: the notification of a delivery."""

    kind: str
    facts: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a claimed delivery stands now; `then` is the channel whose turn it is instead."""

    delivery: Delivery
    state: DeliveryState
    attempts: int
    at: datetime
    next_at: datetime | None = None
    reason: str | None = None
    then: Channel | None = None


def deliveries_consumer(opened: OpenChannels) -> Consumer:
    """Writes down what is to be sent of what members are told, each notification once."""

    async def write_down(events: Sequence[Announced]) -> None:
        if opened.channels:
            await transaction(lambda: _write_down(events, opened=opened))

    return Consumer(NAME, frozenset({"Notified"}), write_down)


async def _write_down(events: Sequence[Announced], *, opened: OpenChannels) -> None:
    # Before the marks are written, as whoever erases or joins records has them.
    leads = await lock_members({event.member_id for event in events})

    async def work(new: Sequence[Announced]) -> None:
        reached = await reach(set(leads.values()), opened=opened)
        rows: list[tuple[object, ...]] = []
        for event in new:
            member_id = leads.get(event.member_id, event.member_id)
            to, kind = reached.get(member_id), str(event.facts["kind"])
            wanted = [] if to is None else channels_for(kind, to.preferences, to.by(kind))
            told = UUID(event.facts["notification_id"])
            rows += [
                (member_id, told, uuid7(), channel.value, event.announced_at)
                for channel in wanted[:1]
            ]
        await execute_many(_WRITE, rows)

    await consume_once(NAME, events, work)


async def is_due(channel: Channel, *, now: datetime) -> bool:
    """Whether something waits to be sent by the channel."""
    rows = await fetch_all(
        "SELECT 1 AS one FROM notification_delivery"
        " WHERE channel = $1 AND state = 'WAITING' AND next_at <= $2 LIMIT 1",
        *(channel.value, now),
    )
    return bool(rows)


async def claim(channel: Channel, *, now: datetime, count: int) -> tuple[UUID, Sequence[Delivery]]:
    """What is due by the channel, at most `count`, for this sender alone; and the lease."""
    lease = uuid4()
    rows = await fetch_all(_CLAIM, lease, now + LEASE, channel.value, now, count)
    return lease, [_delivery(row) for row in rows]


async def told_by(deliveries: Sequence[Delivery]) -> Mapping[UUID, Told]:
    """What each of them tells, by its id; one statement. What was erased meanwhile is left out."""
    rows = await fetch_all(
        _TOLD,
        sorted({one.member_id for one in deliveries}),
        sorted({one.notification_id for one in deliveries}),
    )
    told = {
        row["id"]: Told(
            kind=row["kind"], facts=orjson.loads(row["facts"]), created_at=row["created_at"]
        )
        for row in rows
    }
    return {one.id: told[one.notification_id] for one in deliveries if one.notification_id in told}


async def record(ended: Sequence[Ended], *, lease: UUID) -> None:
    """Write down what became of claimed deliveries, where the lease still holds.

    Where another channel has its turn, its delivery is written with it.
    """
    rows = [
        (
            *(one.delivery.id, lease, one.state.value, one.attempts, one.next_at, one.at),
            *(one.reason, one.at if one.state in _SENT else None),
        )
        for one in ended
    ]
    others = [
        (one.delivery.id, uuid7(), one.then.value, one.at) for one in ended if one.then is not None
    ]

    async def work() -> None:
        await execute_many(_RECORD, rows)
        await execute_many(_WRITE_NEXT, others)

    await transaction(work)


_SENT: Final = frozenset({DeliveryState.SENT, DeliveryState.PERHAPS_SENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDeliveries:
    """Which deliveries are looked at; what is None is not asked for."""

    member: MemberRef | None = None
    channel: Channel | None = None
    state: DeliveryState | None = None


async def deliveries_page(
    page: PageRequest, wanted: WantedDeliveries, *, by: Actor, now: datetime
) -> Page[Delivery]:
    """A page of deliveries, the newest first; the look is recorded. Key: (id). MemberNotFound."""

    async def work() -> Page[Delivery]:
        member_id, target = None, None
        if wanted.member is not None:
            [member_id] = await resolve_members([wanted.member])
            if member_id is None:
                raise MemberNotFound(field=("of", "member"))
            target = Target(kind="member", id=str(member_id))
        audit.record(by, "notification_deliveries.read", target=target, now=now)
        rows = await _rows(page, wanted, member_id=member_id)
        return page_of(
            [_delivery(row) for row in rows], first=page.first, key=lambda one: (one.id,)
        )

    return await transaction(work)


async def _rows(
    page: PageRequest, wanted: WantedDeliveries, *, member_id: UUID | None
) -> Sequence[Row]:
    [before] = page.after or (_LAST,)
    values: list[object] = [before, page.limit]
    where = "id < $1"
    asked: dict[str, object] = {
        "member_id": member_id,
        "channel": wanted.channel and wanted.channel.value,
        "state": wanted.state and wanted.state.value,
    }
    for column, value in asked.items():
        if value is not None:
            values.append(value)
            where += f" AND {column} = ${len(values)}"
    return await fetch_all(
        f"SELECT {_COLUMNS} FROM notification_delivery WHERE {where} ORDER BY id DESC LIMIT $2",
        *values,
    )


async def replay_deliveries(
    *,
    since: datetime | None = None,
    ids: Sequence[UUID] | None = None,
    by: Actor,
    now: datetime,
) -> int:
    """Send again what was not sent, or perhaps not, from the first attempt on; how many.

    Either those with these ids (500 at most), or those made at `since` or later, 10,000 at a time.
    What was sent is left alone. Refused: InvalidInput.
    """
    if (since is None) == (ids is None):
        raise InvalidInput(field=("since",), rule="either `since` or `ids`")
    if ids is not None and not 1 <= len(ids) <= IDS_MAX:
        raise InvalidInput(field=("ids",), rule=f"1 to {IDS_MAX} ids")
    which, value = (
        ("created_at >= $2", since) if ids is None else ("id = ANY($2::uuid[])", list(ids))
    )

    async def work() -> int:
        count = await execute(_REPLAY.format(which=which), now, value, REPLAYED_MAX)
        asked = {"since": since.isoformat()} if since else {"ids": len(ids or ())}
        audit.record(
            by,
            "notification_deliveries.replay",
            target=Target(kind="notification_delivery", id="many"),
            after={**asked, "count": count},
            now=now,
        )
        return count

    return await transaction(work)


async def forget_deliveries(*, before: datetime, count: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete deliveries that were made before this moment, some of the oldest; how many.

    Whatever became of them: what nobody took by then is no news any more.
    """
    return await execute(
        "DELETE FROM notification_delivery WHERE id IN (SELECT id FROM notification_delivery"
        " WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        *(before, count),
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        **dict(row) | {"channel": Channel(row["channel"]), "state": DeliveryState(row["state"])}
    )
