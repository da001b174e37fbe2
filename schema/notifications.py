"""The inbox of a member: what they were told, and what they read of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from resolvers import notifications as resolvers
from resolvers.notifications import NotificationRecord
from schema.connections import KeysetList
from schema.fields import Info, computed, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import Node, decode_own_uuid, node_type
from schema.policies import OWNER
from schema.rewards import parse_own_key

INBOX: Final = KeysetList("inbox", (datetime, UUID))


@node_type(
    policy=OWNER,
    key="key",
    load=resolvers.notification_node,
    parse=parse_own_key,
    reads=NotificationRecord,
)
class Notification(Node):
    """Something that the member was told."""

    @computed(OWNER)
    def kind(self) -> str:
        """What it is about, for example `LEVEL_REACHED`; further kinds may come."""
        return _record(self).item.kind

    @computed(OWNER)
    def title(self) -> str:
        """What it says, in a line."""
        return _record(self).worded.title

    @computed(OWNER)
    def body(self) -> str:
        """What else it says; empty where that is all."""
        return _record(self).worded.body

    @computed(OWNER)
    def link(self) -> str | None:
        """Where in the client there is more of it, a path; null where there is not."""
        return _record(self).worded.link

    @computed(OWNER)
    def created_at(self) -> datetime:
        """When the member was told."""
        return _record(self).item.created_at

    @computed(OWNER)
    def read_at(self) -> datetime | None:
        """When the member read it; null until they do."""
        return _record(self).item.read_at


@input_type()
class MarkNotificationsReadInput:
    """What the member has read: one of the two."""

    ids: list[strawberry.ID] | None = None
    """These, 1 to 100 notifications of the member's."""

    all_before: datetime | None = None
    """All that the member was told before this moment."""


@object_type(policy=OWNER)
class MarkNotificationsReadPayload(Payload):
    """What marking notifications led to."""

    unread_count: int | None = None
    """How many the member has not read; null when it was refused."""


@mutation(OWNER)
async def mark_notifications_read(
    info: Info, input: MarkNotificationsReadInput
) -> MarkNotificationsReadPayload:
    """Note that the member read notifications. Those that were read before stay as they are."""
    ids = input.ids
    keys = None if ids is None else [decode_own_uuid(one, "Notification") for one in ids]
    unread = await resolvers.mark_read(info.context, keys=keys, all_before=input.all_before)
    return MarkNotificationsReadPayload(unread_count=unread)


def _record(value: object) -> NotificationRecord:
    record: NotificationRecord = view(value)
    return record
