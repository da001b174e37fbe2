"""Perks: what a level gives, and how often it may still be used."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from domain import tiers
from schema.fields import Info, computed, enum_type, object_type, view
from schema.language import spoken
from schema.node import encode_global_id
from schema.policies import OWNER, SEES_MEMBERS

READERS = OWNER | SEES_MEMBERS
"""Who reads a member's level and its perks: the member, and staff who looked the member up."""


class PerkKind(Enum):
    """What a perk gives; its `value` is read accordingly."""

    DISCOUNT = "DISCOUNT"
    """A discount: `value` is what remains to pay, as a share (`0.95`)."""
    EARNING_MULTIPLIER = "EARNING_MULTIPLIER"
    """More points per yuan: `value` is the factor (`1.25`)."""
    FREE_SHIPPING = "FREE_SHIPPING"
    """Free shipping: `value` is the least order in yuan (`0` for any)."""
    FASTER_SHIPPING = "FASTER_SHIPPING"
    """Faster shipping: `value` is within how many hours."""
    SERVICE_LEVEL = "SERVICE_LEVEL"
    """Priority with service: `value` names the level."""
    DEDICATED_AGENT = "DEDICATED_AGENT"
    """A person of one's own to talk to."""
    BIRTHDAY_GIFT = "BIRTHDAY_GIFT"
    """A gift on the birthday: `value` is its code."""
    EVENT_ACCESS = "EVENT_ACCESS"
    """Invitations to events: `value` names the kind."""


enum_type(PerkKind)


@object_type(policy=READERS)
class Perk:
    """What the member's level gives."""

    code: str
    """The merchant's own code, stable."""

    value: str
    """How much or what, to be read by `kind`."""

    quota: int | None
    """How often it may be used per period; null for no limit."""

    remaining: int | None
    """How often it may still be used; null for no limit."""

    resets_at: datetime | None
    """When `remaining` is full again."""

    @computed(READERS)
    def id(self) -> strawberry.ID:
        """The id, opaque."""
        perk: tiers.PerkStanding = view(self)
        return encode_global_id("Perk", perk.id)

    @computed(READERS)
    def kind(self) -> PerkKind:
        """What it gives."""
        perk: tiers.PerkStanding = view(self)
        return PerkKind(perk.kind)

    @computed(READERS)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(self, "title", info)

    @computed(READERS)
    def description(self, info: Info) -> str:
        """What it means for the member."""
        return spoken(self, "description", info)
