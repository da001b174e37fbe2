"""What reaches a member outside of the inbox, and how they want it: read for some at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from domain.members import emails_of, phones_of
from domain.notifications.channels.subscribing import (
    Allowed,
    SubscribeTemplates,
    allowed_for,
    allowed_of,
)
from domain.notifications.preferences import preferences_of
from domain.notifications.quiet import Channel, Preferences


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChannels:
    """The channels that the programme has, and its templates of subscribe messages."""

    channels: frozenset[Channel]
    templates: SubscribeTemplates = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A member as somebody who can be told something; addresses and numbers stay out of the repr.

    `preferences` are read only for those whom some channel reaches.
    """

    preferences: Preferences
    templates: SubscribeTemplates = field(repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    allowed: Sequence[Allowed] = field(default=(), repr=False)

    def by(self, kind: str) -> frozenset[Channel]:
        """The channels that reach the member with a notification of the kind."""
        can = {
            Channel.SUBSCRIBE_MESSAGE: allowed_for(kind, self.allowed, self.templates) is not None,
            Channel.EMAIL: self.email is not None,
            Channel.SMS: self.phone is not None,
        }
        return frozenset(channel for channel, reaches in can.items() if reaches)


Reach: TypeAlias = Mapping[UUID, Reached]
"""By member; who is reached by nothing is left out."""


async def reach(member_ids: Collection[UUID], *, opened: OpenChannels) -> Reach:
    """Who is reached by what, in a handful of statements however many there are."""
    has = opened.channels
    emails = await emails_of(member_ids) if Channel.EMAIL in has else {}
    phones = await phones_of(list(member_ids)) if Channel.SMS in has else {}
    allowed = await allowed_of(member_ids) if Channel.SUBSCRIBE_MESSAGE in has else {}
    reached = sorted(emails.keys() | phones.keys() | allowed.keys())
    said = await preferences_of(reached) if reached else {}
    return {
        one: Reached(
            preferences=said[one],
            templates=opened.templates,
            email=emails.get(one),
            phone=phones.get(one),
            allowed=allowed.get(one, ()),
        )
        for one in reached
    }
