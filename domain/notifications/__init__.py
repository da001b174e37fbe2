"""The in-app inbox: what members are told. Texts are made from `kind` and `facts` when shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from domain.notifications.member_tables import MEMBER_TABLES
from domain.outbox import POSITION
from domain.storage import Table, fetch_one

_NOTIFICATIONS = Table(
    "notification",
    member_id="uuid",
    id="uuid",
    kind="text",
    facts="jsonb",
    created_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something to tell a member: a kind such as LEVEL_REACHED, and the facts of its text."""

    member_id: UUID
    kind: str
    facts: Mapping[str, Any]


async def notify(notifications: Iterable[Notification], *, now: datetime) -> None:
    """Put the notifications into their members' inboxes; joins the caller's transaction.

    The caller announces what led to them: a member's unread count changes with an event of theirs.
    """
    await _NOTIFICATIONS.insert(
        {
            "member_id": notification.member_id,
            "id": uuid7(),
            "kind": notification.kind,
            "facts": orjson.dumps(notification.facts).decode(),
            "created_at": now,
        }
        for notification in notifications
    )


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


__all__ = ["MEMBER_TABLES", "Freshness", "Notification", "freshness", "notify"]
