"""Groups of what members are told, and the channels by which: enums that several modules name."""

from __future__ import annotations

from domain.notifications import Channel, KindGroup
from schema.fields import enum_type

enum_type(KindGroup, name="NotificationGroup")
enum_type(Channel, name="NotificationChannel")

__all__ = ["Channel", "KindGroup"]
