"""By which channels somebody is told outside of the inbox, and what an attempt came to. Pure.

A notification goes out by one channel at a time: the first of those that the member wants, that
reach them, and that the programme has. Where that one fails for good the next one has its turn. So
nobody is told the same thing three times, and what costs nothing is tried first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.notifications.quiet import Channel, Preferences

ORDER: Final = (Channel.SUBSCRIBE_MESSAGE, Channel.EMAIL, Channel.SMS)
"""In which order channels are tried."""

REPEATABLE: Final = frozenset({Channel.EMAIL})
"""By which the same message may go out twice and is seen once: mails have a Message-ID."""


class DeliveryState(StrEnum):
    """How a notification stands with a channel."""

    WAITING = "WAITING"
    """It is to be sent, or sent again."""
    SENT = "SENT"
    """The server behind the channel has taken it."""
    PERHAPS_SENT = "PERHAPS_SENT"
    """Nobody knows, and it is not sent again: better none than two."""
    FAILED = "FAILED"
    """It was not taken, however often it was sent."""
    STOPPED = "STOPPED"
    """It was not sent: the member does not want it, or is not reached by the channel any more."""


class Result(StrEnum):
    """What one attempt came to."""

    SENT = "sent"
    PERHAPS_SENT = "perhaps_sent"
    NOT_NOW = "not_now"
    """It was surely not sent; later it may be."""
    NEVER = "never"
    """It was surely not sent, and never will be."""
    DOWN = "down"
    """As NOT_NOW, and others would fare no better now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an attempt, and a word of why."""

    result: Result
    reason: str | None = None


def channels_for(
    kind: str, preferences: Preferences, reachable: Collection[Channel]
) -> Sequence[Channel]:
    """By which channels the member may be told of the kind, in the order of their turns."""
    return [one for one in ORDER if one in reachable and preferences.wants(kind, one)]


def next_channel(
    channel: Channel, kind: str, preferences: Preferences, reachable: Collection[Channel]
) -> Channel | None:
    """Whose turn it is after this one; None after the last."""
    later = ORDER[ORDER.index(channel) + 1 :]
    return next((one for one in channels_for(kind, preferences, reachable) if one in later), None)


def is_unsure(channel: Channel, *, begun: int, attempts: int) -> bool:
    """Whether somebody died with the message, who may have sent it by a channel that bears no two.

    `begun` counts the attempts up to now, `attempts` those whose end was written.
    """
    return begun > attempts and channel not in REPEATABLE
