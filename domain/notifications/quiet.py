"""Which channels a member wants for what, and the hours in which one is to be quiet. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from domain.notifications.kinds import KindGroup, kind_of

MINUTES_OF_DAY: Final = 24 * 60


class Channel(StrEnum):
    """By what a member may be told."""

    INBOX = "INBOX"
    """The inbox of the programme: everything stands there."""
    SUBSCRIBE_MESSAGE = "SUBSCRIBE_MESSAGE"
    """WeChat's messages of a mini-program, each of which the member allowed."""
    EMAIL = "EMAIL"
    """The member's mail address."""
    SMS = "SMS"
    """The member's telephone."""


_LOUD: Final = frozenset({Channel.INBOX, Channel.SUBSCRIBE_MESSAGE, Channel.EMAIL})

WANTED_BY_DEFAULT: Final[Mapping[KindGroup, frozenset[Channel]]] = {
    KindGroup.LEVELS: _LOUD,
    KindGroup.POINTS: _LOUD,
    KindGroup.ORDERS: _LOUD | {Channel.SMS},
    KindGroup.REWARDS: _LOUD,
    KindGroup.NEWS: _LOUD,
    KindGroup.SERVICE: _LOUD | {Channel.SMS},
}
"""What holds where a member said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Minutes of the local day from which and until which (exclusive) nothing shall come.

    With `from_minute` above `until_minute` they go over midnight; the two differ.
    """

    from_minute: int
    until_minute: int
    zone: ZoneInfo

    def end(self, now: datetime) -> datetime | None:
        """When the quiet that holds at `now` is over, in UTC; None where none holds."""
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.from_minute < self.until_minute:
            holds, over_midnight = self.from_minute <= minute < self.until_minute, False
        else:
            holds = minute >= self.from_minute or minute < self.until_minute
            over_midnight = minute >= self.from_minute
        if not holds:
            return None
        day = local.date() + timedelta(days=over_midnight)
        at = datetime.combine(day, time(*divmod(self.until_minute, 60)), self.zone)
        # An hour that the clocks show twice ends where it is shown the second time, once that is
        # where we are.
        ends = [at.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
        return next((one for one in ends if one > now), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a member said of how they want to be told: of some groups, of some channels.

    A channel in `quiet` with None: the member said that it needs no quiet.
    """

    said: Mapping[tuple[KindGroup, Channel], bool] = field(default_factory=dict)
    quiet: Mapping[Channel, QuietHours | None] = field(default_factory=dict)

    def wants_of(self, group: KindGroup, channel: Channel) -> bool:
        """Whether what is of the group shall come by the channel."""
        if channel is Channel.INBOX:
            return True
        return self.said.get((group, channel), channel in WANTED_BY_DEFAULT[group])

    def wants(self, kind: str, channel: Channel) -> bool:
        """Whether a notification of the kind shall come by the channel."""
        return self.wants_of(kind_of(kind).group, channel)

    def quiet_until(self, channel: Channel, *, now: datetime) -> datetime | None:
        """When the channel may be used again, in UTC; None where it may be now."""
        hours = self.quiet.get(channel)
        return None if hours is None else hours.end(now)
