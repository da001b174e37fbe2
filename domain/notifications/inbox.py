"""The inbox: pages of what a member was told, what is read of it, and whether anything is new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain.errors import InvalidInput, NotificationUnknown
from domain.members import heirs, lock_member
from domain.notifications.texts import Language, Worded, Wording, newest_texts, worded
from domain.outbox import POSITION, Event, announce
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, execute, fetch_all, fetch_one, transaction

IDS_MAX: Final = 100
_END: Final = (datetime(9999, 12, 30, tzinfo=UTC), UUID(int=2**128 - 1))
_COLUMNS: Final = "member_id, id, kind, facts, created_at, read_at"
_PAGE: Final = f"""
    SELECT {_COLUMNS} FROM notification
    WHERE member_id = $1 AND (created_at, id) < ($2, $3)
    ORDER BY created_at DESC, id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """What a member was told; `facts` are plain JSON values of which its text is made."""

    member_id: UUID
    id: UUID
    kind: str
    facts: Mapping[str, Any]
    created_at: datetime
    read_at: datetime | None

    @property
    def key(self) -> str:
        """What names the notification in the whole programme."""
        return f"{self.member_id}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkNotificationsRead:
    """What the member has read: these, or all that is older than a moment; one of the two.

    `keys` are ids as they were given: of a record, which may be the member's since, and what it was
    told.
    """

    member_id: UUID
    keys: Sequence[tuple[UUID, UUID]] | None = None
    all_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Whether a member's client has something new to fetch.

    `version` is the number of the newest event about the member, whatever it changed: it grows in
    the order of commits (decisions/0007). `unread` counts notifications.
    """

    version: int
    unread: int


async def freshness(member_id: UUID) -> Freshness:
    """The member's version and unread count, in one statement."""
    row = await fetch_one(
        f"SELECT COUNT(*) AS unread, {POSITION} AS version "
        "FROM notification WHERE member_id = $1 AND read_at IS NULL",
        member_id,
    )
    assert row is not None
    return Freshness(version=row["version"], unread=row["unread"])


async def inbox(member_id: UUID, page: PageRequest) -> Page[InboxItem]:
    """A page of what the member was told, newest first, by the key (created_at, id)."""
    rows = await fetch_all(_PAGE, *(member_id, *(page.after or _END), page.limit))
    items = [_item(row) for row in rows]
    return page_of(items, first=page.first, key=lambda one: (one.created_at, one.id))


async def inbox_item(member_id: UUID, notification_id: UUID) -> InboxItem | None:
    """One notification of the member, or None."""
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM notification WHERE member_id = $1 AND id = $2",
        *(member_id, notification_id),
    )
    return None if row is None else _item(row)


async def worded_items(
    items: Sequence[InboxItem], *, language: Language, wording: Wording
) -> list[Worded]:
    """What each of these says by the newest text of its kind; one statement."""
    texts = await newest_texts({item.kind for item in items})
    return [
        worded(item.kind, item.facts, text=texts[item.kind], language=language, wording=wording)
        for item in items
    ]


async def facts_told(
    member_ids: Collection[UUID], *, kind: str, since: datetime
) -> Mapping[UUID, Sequence[Mapping[str, Any]]]:
    """The facts of what these members were told of a kind since then, by member."""
    rows = await fetch_all(
        "SELECT member_id, facts FROM notification"
        " WHERE member_id = ANY($1::uuid[]) AND created_at >= $2 AND kind = $3",
        *(list(member_ids), since, kind),
    )
    told: dict[UUID, list[Mapping[str, Any]]] = {}
    for row in rows:
        told.setdefault(row["member_id"], []).append(orjson.loads(row["facts"]))
    return told


async def mark_notifications_read(command: MarkNotificationsRead, *, now: datetime) -> int:
    """Note that the member read these; returns how many are unread then.

    What was read before keeps its moment, and where nothing is new nothing is written. Refused:
    InvalidInput, NotificationUnknown (one of the keys is no notification of the member's; then none
    is marked).
    """
    if (command.keys is None) == (command.all_before is None):
        raise InvalidInput(field=("ids",), rule="either ids or allBefore")
    if command.keys is not None and not 1 <= len(command.keys) <= IDS_MAX:
        raise InvalidInput(field=("ids",), rule=f"1 to {IDS_MAX} ids")

    async def work() -> int:
        mine = await lock_member(command.member_id)
        if command.keys is not None:
            marked = await _mark(mine, command.keys, now=now)
        else:
            marked = await execute(
                "UPDATE notification SET read_at = $3"
                " WHERE member_id = $1 AND read_at IS NULL AND created_at < $2",
                *(mine, command.all_before, now),
            )
        if marked:
            facts = {"marked": marked}
            event = Event(kind="NotificationsRead", member_id=mine, facts=facts)
            await announce([event], now=now)
        return (await freshness(mine)).unread

    return await transaction(work)


async def _mark(member_id: UUID, keys: Sequence[tuple[UUID, UUID]], *, now: datetime) -> int:
    wanted = sorted({one for _, one in keys})
    # A notification goes over with its member's record, under the id that it has.
    others = {owner for owner, _ in keys} - {member_id}
    leads = {**(await heirs(others) if others else {}), member_id: member_id}
    rows = await fetch_all(
        "SELECT id FROM notification WHERE member_id = $1 AND id = ANY($2::uuid[])",
        *(member_id, wanted),
    )
    known = {row["id"] for row in rows}
    for place, (owner, one) in enumerate(keys):
        if leads.get(owner) != member_id or one not in known:
            raise NotificationUnknown(field=("ids", str(place)))
    return await execute(
        "UPDATE notification SET read_at = $3"
        " WHERE member_id = $1 AND id = ANY($2::uuid[]) AND read_at IS NULL",
        *(member_id, wanted, now),
    )


def _item(row: Row) -> InboxItem:
    return InboxItem(
        member_id=row["member_id"],
        id=row["id"],
        kind=row["kind"],
        facts=orjson.loads(row["facts"]),
        created_at=row["created_at"],
        read_at=row["read_at"],
    )
