"""Telling members something: it stands in their inbox, and everybody who follows hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from domain.outbox import Event, announce
from domain.storage import Table

_NOTIFICATIONS: Final = Table(
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

    Each is announced (`Notified`, with its id and kind), and so is there with what led to it.
    """
    told = [(uuid7(), one) for one in notifications]
    await _NOTIFICATIONS.insert(
        {
            "member_id": one.member_id,
            "id": notification_id,
            "kind": one.kind,
            "facts": orjson.dumps(one.facts).decode(),
            "created_at": now,
        }
        for notification_id, one in told
    )
    await announce(
        (
            Event(
                kind="Notified",
                member_id=one.member_id,
                facts={"notification_id": str(notification_id), "kind": one.kind},
            )
            for notification_id, one in told
        ),
        now=now,
    )
