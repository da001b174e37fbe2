"""The inbox of a member, and how they want to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import notifications, tiers
from domain.notifications import (
    DefinedText,
    InboxItem,
    MarkNotificationsRead,
    NotificationText,
    Preferences,
    SetNotificationPreferences,
    Worded,
    Wording,
)
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.owning import own_id


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """What a member was told, with its text."""

    item: InboxItem
    worded: Worded

    @property
    def key(self) -> str:
        """What names the notification in the whole programme."""
        return self.item.key


async def inbox(
    context: RequestContext, member_id: UUID, page: PageRequest
) -> Page[NotificationRecord]:
    """A page of what the member was told, newest first."""
    found = await notifications.inbox(member_id, page)
    records = await _worded(context, found.items)
    return Page(items=records, keys=found.keys, has_next=found.has_next)


async def notification_node(
    context: RequestContext, key: tuple[UUID, UUID]
) -> NotificationRecord | None:
    """The notification with this key, when it is the caller's own."""
    member_id, notification_id = key
    # A notification goes over with its member's record.
    mine = await own_id(context, member_id)
    item = None if mine is None else await notifications.inbox_item(mine, notification_id)
    return None if item is None else (await _worded(context, [item]))[0]


async def mark_read(
    context: RequestContext,
    *,
    keys: Sequence[tuple[UUID, UUID]] | None,
    all_before: datetime | None,
) -> int:
    """Note what the member read; how many are unread then."""
    mine = context.require_member()
    command = MarkNotificationsRead(member_id=mine, keys=keys, all_before=all_before)
    return await notifications.mark_notifications_read(command, now=context.now)


async def preferences(member_id: UUID) -> Preferences:
    """How the member wants to be told."""
    return await notifications.preferences(member_id)


async def set_preferences(
    context: RequestContext, command: SetNotificationPreferences
) -> Preferences:
    """Keep how the member wants to be told."""
    return await notifications.set_notification_preferences(command, now=context.now)


async def defined_texts() -> Sequence[DefinedText]:
    """The text that each kind has now."""
    return await notifications.defined_texts()


async def text_history(kind: str, page: PageRequest) -> Page[DefinedText]:
    """A page of the versions that staff gave to a kind, newest first."""
    return await notifications.text_history(kind, page)


async def define_text(context: RequestContext, kind: str, text: NotificationText) -> DefinedText:
    """Give a kind its next text, by the member of staff who asks."""
    return await notifications.define_notification_text(
        kind, text, by=context.actor(), now=context.now
    )


async def _worded(
    context: RequestContext, items: Sequence[InboxItem]
) -> Sequence[NotificationRecord]:
    programme = await context.programme()
    wording = Wording(zone=programme.zone, levels=await _level_names(context, items))
    texts = await notifications.worded_items(items, language=context.language, wording=wording)
    return [NotificationRecord(item, text) for item, text in zip(items, texts, strict=True)]


async def _level_names(
    context: RequestContext, items: Sequence[InboxItem]
) -> Mapping[str, tuple[str, str]]:
    """What levels are called, where one of the items may name one."""
    if not any("level" in item.facts for item in items):
        return {}
    levels = await context.once.read("levels", tiers.read_levels)
    return {level.code: (level.name_zh, level.name_en) for level in levels}
