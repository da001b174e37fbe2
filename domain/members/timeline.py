"""The timeline: what happened in a member's life, over all contexts, in one list.

It is made of the events of the outbox. Each context says in its `TIMELINE` what its kinds of events
come to; a context that is added later adds its own, and nothing here changes. An event comes to
the same item whenever it is handed over, so repetition leaves one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from domain.members.standing import heirs
from domain.outbox import Announced, Consumer, ConsumerUnavailable
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, Table, fetch_all, transaction

LOOKS_MAX: Final = 8
"""So often may the owners of a batch change while they are being locked."""

_ITEMS: Final = Table(
    "timeline_item",
    member_id="uuid",
    occurred_at="timestamptz",
    id="uuid",
    kind="text",
    channel="text",
    facts="jsonb",
    for_staff="boolean",
)
_IDS: Final = uuid5(NAMESPACE_URL, "https://jifen.example/timeline")
_END: Final = (datetime(9999, 12, 30, tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineItem:
    """Something that happened; `facts` are plain JSON values from which its title is made.

    `for_staff` hides it from the member.
    """

    member_id: UUID
    id: UUID
    occurred_at: datetime
    kind: str
    channel: str | None
    facts: Mapping[str, Any]
    for_staff: bool = False

    @property
    def key(self) -> str:
        """What names the item in the whole programme."""
        return f"{self.member_id}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an event comes to: a kind, what its title is made of, and when and where it was.

    Without a moment of its own it was when the event was announced.
    """

    kind: str
    facts: Mapping[str, Any]
    occurred_at: datetime | None = None
    channel: str | None = None


Telling: TypeAlias = Mapping[str, Callable[[Announced], Told | None]]
"""What each kind of event comes to; None where one of the kind comes to nothing."""


def timeline_consumer(telling: Telling) -> Consumer:
    """Whoever keeps the timelines: it is handed every kind of event that comes to something."""

    async def keep(events: Sequence[Announced]) -> None:
        told = ((event, telling[event.kind](event)) for event in events)
        await keep_timeline_items([_item(event, one) for event, one in told if one is not None])

    return Consumer("timeline", frozenset(telling), keep)


async def keep_timeline_items(items: Sequence[TimelineItem]) -> None:
    """Write the items; those that are there already stay. Four statements, however many they are.

    What is told late of a record that was given up is an item of whoever has it now; what is told
    of nobody, who was erased meanwhile, is left out.
    """

    async def work() -> None:
        owners = await _owners({item.member_id for item in items})
        await _ITEMS.insert(
            (
                {
                    "member_id": owners[item.member_id],
                    "occurred_at": item.occurred_at,
                    "id": item.id,
                    "kind": item.kind,
                    "channel": item.channel,
                    "facts": orjson.dumps(item.facts).decode(),
                    "for_staff": item.for_staff,
                }
                for item in items
                if item.member_id in owners
            ),
            or_ignore=True,
        )

    if items:
        await transaction(work)


async def _owners(member_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """To whom each of these leads, until the transaction ends: whoever would join two waits."""
    leads = await heirs(member_ids)
    for _ in range(LOOKS_MAX):
        await fetch_all(
            "SELECT id FROM member WHERE id = ANY($1::uuid[]) ORDER BY id FOR KEY SHARE",
            sorted({*leads, *leads.values()}),
        )
        found = await heirs(member_ids)
        if found == leads:
            return leads
        leads = found
    raise ConsumerUnavailable


async def timeline(
    member_id: UUID, page: PageRequest, *, for_staff: bool = False
) -> Page[TimelineItem]:
    """A page of what happened, newest first, by the key (occurred_at, id).

    What is meant for staff is in it only where `for_staff` says so.
    """
    hidden = "" if for_staff else " AND NOT for_staff"
    rows = await fetch_all(
        "SELECT member_id, id, occurred_at, kind, channel, facts, for_staff FROM timeline_item"
        f" WHERE member_id = $1 AND (occurred_at, id) < ($2, $3){hidden}"
        " ORDER BY occurred_at DESC, id DESC LIMIT $4",
        *(member_id, *(page.after or _END), page.limit),
    )
    items = [_of(row) for row in rows]
    return page_of(items, first=page.first, key=lambda item: (item.occurred_at, item.id))


def _item(event: Announced, told: Told) -> TimelineItem:
    return TimelineItem(
        member_id=event.member_id,
        id=uuid5(_IDS, f"{event.key}:{event.kind}"),
        occurred_at=told.occurred_at or event.announced_at,
        kind=told.kind,
        channel=told.channel,
        facts=told.facts,
    )


def _of(row: Row) -> TimelineItem:
    return TimelineItem(
        member_id=row["member_id"],
        id=row["id"],
        occurred_at=row["occurred_at"],
        kind=row["kind"],
        channel=row["channel"],
        facts=orjson.loads(row["facts"]),
        for_staff=row["for_staff"],
    )


def _joined(event: Announced) -> Told:
    return Told(kind="JOINED", facts={"via": event.facts.get("via")})


def _consent_changed(event: Announced) -> Told:
    kind = "CONSENT_GRANTED" if event.facts["granted"] else "CONSENT_WITHDRAWN"
    return Told(kind=kind, facts={"purpose": event.facts["purpose"]})


TIMELINE: Final[Telling] = {"MemberJoined": _joined, "ConsentChanged": _consent_changed}
"""What the events of this context come to. Notes are written directly: they have no event."""
