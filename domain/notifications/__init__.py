"""What members are told: the inbox, the texts of its kinds, and how members want to be told.

`notify` is the one way to tell a member something. Whoever does so is of a higher rung and calls
it, or announces an event that `notification_consumer` makes a notification of.
"""

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
from domain.notifications.telling import NOTIFIED, Notification, notify

__all__ = [
    "KINDS",
    "MEMBER_TABLES",
    "NOTIFIED",
    "Channel",
    "Freshness",
    "InboxItem",
    "KindGroup",
    "MarkNotificationsRead",
    "Notification",
    "NotificationText",
    "Preferences",
    "QuietHours",
    "SetNotificationPreferences",
    "freshness",
    "inbox",
    "inbox_item",
    "kind_of",
    "mark_notifications_read",
    "notify",
    "preferences",
    "set_notification_preferences",
]
