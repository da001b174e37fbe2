"""Deliveries as they are kept: written down, claimed, recorded, read, sent again, forgotten.

A delivery is claimed by writing a lease into its row: one statement that commits at once, so that
no transaction is open while a server is waited for. `next_at` is then the end of the lease: what a
sender that died had claimed is due again by itself. What is really handed over is written down as
begun right before, so that it is known of what was perhaps sent, and of what surely was not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.errors import InvalidInput, MemberNotFound
from domain.members import MemberRef, heirs, lock_members, resolve_members
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
    "member_id, id, notification_id, channel, state, begun, attempts, created_at, next_at,"
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

# Whosever the delivery before it is by now. It is there already where the delivery before it was
# sent again by hand: where it had failed as well, its turn has come again.
_WRITE_NEXT: Final = """
    INSERT INTO notification_delivery
        (member_id, id, notification_id, channel, state, created_at, next_at, came_with)
    SELECT member_id, $2, notification_id, $3, 'WAITING', $4, $4, came_with
    FROM notification_delivery WHERE id = $1
    ON CONFLICT (notification_id, channel) DO UPDATE
    SET state = 'WAITING', begun = 0, attempts = 0, next_at = excluded.next_at, lease = NULL
    WHERE notification_delivery.state IN ('FAILED', 'STOPPED')
"""

_CLAIM: Final = f"""
    UPDATE notification_delivery SET lease = $1, next_at = $2
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

# By their ids alone, here and below: a merge, or its undoing, may have moved the rows to another
# record since they were claimed.
_TOLD: Final = """
    SELECT d.id, d.member_id, n.kind, n.facts, n.created_at
    FROM notification_delivery AS d
    JOIN notification AS n ON n.member_id = d.member_id AND n.id = d.notification_id
    WHERE d.id = ANY($1::uuid[])
"""

_BEGIN: Final = """
    UPDATE notification_delivery SET begun = attempts + 1, next_at = $3
    WHERE id = ANY($1::uuid[]) AND lease = $2
    RETURNING id
"""

_HELD: Final = """
    SELECT id FROM notification_delivery WHERE id = ANY($1::uuid[]) AND lease = $2
    ORDER BY id FOR NO KEY UPDATE
"""

_RECORD: Final = """
    UPDATE notification_delivery
    SET state = $2, attempts = $3::integer, begun = $3::integer, next_at = $4::timestamptz,
        lease = NULL, last_at = $5::timestamptz, reason = $6::text, sent_at = $7::timestamptz
    WHERE id = $1
"""

# What is under way now is left alone: it is being sent.
_REPLAY: Final = """
    UPDATE notification_delivery
    SET state = 'WAITING', attempts = 0, begun = 0, next_at = $1::timestamptz, lease = NULL,
        sent_at = NULL
    WHERE id IN (
        SELECT d.id FROM notification_delivery AS d
        WHERE {which} AND d.state NOT IN ('SENT', 'WAITING')
        ORDER BY d.id LIMIT $3
    )
"""
_NAMED: Final = "d.id = ANY($2::uuid[])"

# Of what nobody chose one by one, each member hears once: not what reached them by another channel
# or is about to, and of several that failed the first, after which the others have their turn.
_SINCE: Final = """
    d.created_at >= $2 AND NOT EXISTS (
        SELECT 1 FROM notification_delivery AS other
        WHERE other.notification_id = d.notification_id AND other.id <> d.id
            AND (other.state IN ('SENT', 'PERHAPS_SENT', 'WAITING')
                OR (other.id < d.id AND d.state <> 'PERHAPS_SENT'))
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
    begun: int
    attempts: int
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    reason: str | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is to be told: the notification of a delivery, and who has it by now."""

    member_id: UUID
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
    # Read before anybody is locked: others need not wait for it.
    ids = {event.member_id for event in events}
    led = await heirs(ids)
    reached = await reach(set(led.values()), opened=opened)
    # Before the marks are written, as whoever erases or joins records has them.
    leads = await lock_members(ids)
    if leads != led:
        reached = await reach(set(leads.values()), opened=opened)

    async def work(new: Sequence[Announced]) -> None:
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
    rows = await fetch_all(_TOLD, sorted(one.id for one in deliveries))
    return {
        row["id"]: Told(
            member_id=row["member_id"],
            kind=row["kind"],
            facts=orjson.loads(row["facts"]),
            created_at=row["created_at"],
        )
        for row in rows
    }


async def begin(deliveries: Sequence[Delivery], *, lease: UUID, now: datetime) -> Collection[UUID]:
    """Write down that these are handed over now; the ids of those whose lease still held.

    It holds anew from now on. No statement for none.
    """
    if not deliveries:
        return ()
    rows = await fetch_all(_BEGIN, [one.id for one in deliveries], lease, now + LEASE)
    return {row["id"] for row in rows}


async def record(ended: Sequence[Ended], *, lease: UUID) -> None:
    """Write down what became of claimed deliveries, where the lease still holds.

    Where another channel has its turn, its delivery is written with it.
    """

    async def work() -> None:
        rows = await fetch_all(_HELD, [one.delivery.id for one in ended], lease)
        held = {row["id"] for row in rows}
        mine = [one for one in ended if one.delivery.id in held]
        await execute_many(_RECORD, [_recorded(one) for one in mine])
        await execute_many(
            _WRITE_NEXT,
            [(one.delivery.id, uuid7(), one.then.value, one.at) for one in mine if one.then],
        )

    await transaction(work)


def _recorded(one: Ended) -> tuple[object, ...]:
    return (
        *(one.delivery.id, one.state.value, one.attempts, one.next_at, one.at),
        *(one.reason, one.at if one.state in _SENT else None),
    )


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
    if wanted.state not in {None, DeliveryState.SENT}:
        # As the index says it that holds nothing else.
        where += " AND state <> 'SENT'"
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
    What was sent is left alone; with `since` also what reached the member by another channel.
    Refused: InvalidInput.
    """
    if (since is None) == (ids is None):
        raise InvalidInput(field=("since",), rule="either `since` or `ids`")
    if ids is not None and not 1 <= len(ids) <= IDS_MAX:
        raise InvalidInput(field=("ids",), rule=f"1 to {IDS_MAX} ids")
    which, value = (_SINCE, since) if ids is None else (_NAMED, list(ids))

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
