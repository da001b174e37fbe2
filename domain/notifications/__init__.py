"""What members are told: the inbox, the texts of its kinds, and how members want to be told.

`notify` is the one way to tell a member something. Whoever does so is of a higher rung and calls
it, or announces an event that `notification_consumer` makes a notification of.
"""

from domain.notifications.hearing import notification_consumer
from domain.notifications.inbox import (
    Freshness,
    InboxItem,
    MarkNotificationsRead,
    freshness,
    inbox,
    inbox_item,
    mark_notifications_read,
)
from domain.notifications.kinds import KINDS, KindGroup, NotificationText, kind_of
from domain.notifications.member_tables import MEMBER_TABLES
from domain.notifications.preferences import (
    SetNotificationPreferences,
    preferences,
    set_notification_preferences,
)
from domain.notifications.quiet import Channel, Preferences, QuietHours
from domain.notifications.telling import Notification, notify
from domain.notifications.texts import (
    DefinedText,
    Worded,
    Wording,
    define_notification_text,
    defined_texts,
    newest_texts,
    notification_text_flaws,
    text_history,
    worded,
)

__all__ = [
    "KINDS",
    "MEMBER_TABLES",
    "Channel",
    "DefinedText",
    "Freshness",
    "InboxItem",
    "KindGroup",
    "MarkNotificationsRead",
    "Notification",
    "NotificationText",
    "Preferences",
    "QuietHours",
    "SetNotificationPreferences",
    "Worded",
    "Wording",
    "define_notification_text",
    "defined_texts",
    "freshness",
    "inbox",
    "inbox_item",
    "kind_of",
    "mark_notifications_read",
    "newest_texts",
    "notification_consumer",
    "notification_text_flaws",
    "notify",
    "preferences",
    "set_notification_preferences",
    "text_history",
    "worded",
]
