"""What perks give: the text of a value, read by the kind of its perk. Decided purely."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from domain.errors import InvalidInput
from domain.ledger import POINTS_MAX
from domain.texts import clean_code, clean_text

PERMILLE: Final = 1_000
MULTIPLIER_MAX: Final = 10
HOURS_MAX: Final = 720
VALUE_CHARACTERS_MAX: Final = 64

_FIELD: Final = ("value",)


class PerkKind(StrEnum):
    """What a perk gives; its value is read accordingly."""

    DISCOUNT = "DISCOUNT"
    """A discount: `value` is what remains to pay, as a share (`0.95`)."""
    EARNING_MULTIPLIER = "EARNING_MULTIPLIER"
    """More points per yuan, by itself: `value` is the factor (`1.25`)."""
    FREE_SHIPPING = "FREE_SHIPPING"
    """Free shipping: `value` is the least order in yuan (`0` for any)."""
    FASTER_SHIPPING = "FASTER_SHIPPING"
    """Faster shipping: `value` is within how many hours."""
    SERVICE_LEVEL = "SERVICE_LEVEL"
    """Priority with service, by itself: `value` is `STANDARD`, `PRIORITY` or `VIP`."""
    DEDICATED_AGENT = "DEDICATED_AGENT"
    """A person of one's own to talk to, by itself: `value` is empty."""
    BIRTHDAY_GIFT = "BIRTHDAY_GIFT"
    """A gift on the birthday: `value` is its code."""
    EVENT_ACCESS = "EVENT_ACCESS"
    """Invitations to events: `value` names the kind."""


HOLD_BY_THEMSELVES: Final = frozenset(
    {PerkKind.EARNING_MULTIPLIER, PerkKind.SERVICE_LEVEL, PerkKind.DEDICATED_AGENT}
)
"""Kinds that take effect without being used: they have no quota, and nobody uses them up."""


class ServiceLevel(StrEnum):
    """How service treats a member, the least first."""

    STANDARD = "STANDARD"
    """As everybody."""
    PRIORITY = "PRIORITY"
    """Before those of the standard level."""
    VIP = "VIP"
    """Before everybody else."""


@dataclass(frozen=True, slots=True)
class Discount:
    """What remains to pay, in thousandths: 1 to 999."""

    pay_permille: int


@dataclass(frozen=True, slots=True)
class EarningMultiplier:
    """What points are multiplied by, in thousandths: 1,000 to 10,000."""

    permille: int


@dataclass(frozen=True, slots=True)
class FreeShipping:
    """The least amount of an order that is sent free of charge; 0 for any."""

    amount_min_fen: int


@dataclass(frozen=True, slots=True)
class FasterShipping:
    """Within how many hours an order is sent."""

    hours: int


@dataclass(frozen=True, slots=True)
class Service:
    """How service treats the member."""

    level: ServiceLevel


@dataclass(frozen=True, slots=True)
class DedicatedAgent:
    """A person of one's own to talk to; there is no more to it."""


@dataclass(frozen=True, slots=True)
class BirthdayGift:
    """The merchant's code of a gift."""

    code: str


@dataclass(frozen=True, slots=True)
class EventAccess:
    """To which kind of events the member is invited."""

    kind: str


PerkValue: TypeAlias = (
    Discount
    | EarningMultiplier
    | FreeShipping
    | FasterShipping
    | Service
    | DedicatedAgent
    | BirthdayGift
    | EventAccess
)


def parse_value(kind: PerkKind, text: str) -> PerkValue:
    """What a perk of the kind gives; refused with InvalidInput, which names the rule."""
    return _READERS[kind](text)


def value_of(kind: str, text: str) -> PerkValue | None:
    """The same of a perk that is stored; None where it was stored before there were rules."""
    try:
        return parse_value(PerkKind(kind), text)
    except (ValueError, InvalidInput):
        return None


# Digits as the value is shown, so that one value has one text but for zeros at its end.
_SHARE: Final = re.compile(r"0\.[0-9]{1,3}")
_FACTOR: Final = re.compile(r"[1-9][0-9]?(\.[0-9]{1,3})?")
_YUAN: Final = re.compile(r"(0|[1-9][0-9]{0,13})(\.[0-9]{1,2})?")
_HOURS: Final = re.compile(r"[1-9][0-9]{0,2}")


def _discount(text: str) -> Discount:
    rule = "a share to pay above 0 and below 1, of at most three decimals, such as 0.95"
    permille = _scaled(text, _SHARE, PERMILLE, rule=rule)
    if permille == 0:
        raise _broken(rule)
    return Discount(permille)


def _multiplier(text: str) -> EarningMultiplier:
    rule = f"a factor from 1 to {MULTIPLIER_MAX}, of at most three decimals, such as 1.25"
    permille = _scaled(text, _FACTOR, PERMILLE, rule=rule)
    if permille > MULTIPLIER_MAX * PERMILLE:
        raise _broken(rule)
    return EarningMultiplier(permille)


def _free_shipping(text: str) -> FreeShipping:
    rule = "the least order in yuan, such as 59 or 59.90; 0 for any"
    fen = _scaled(text, _YUAN, 100, rule=rule)
    if fen > POINTS_MAX:
        raise _broken(rule)
    return FreeShipping(fen)


def _faster_shipping(text: str) -> FasterShipping:
    rule = f"a whole number of hours from 1 to {HOURS_MAX}"
    hours = _scaled(text, _HOURS, 1, rule=rule)
    if hours > HOURS_MAX:
        raise _broken(rule)
    return FasterShipping(hours)


def _service(text: str) -> Service:
    try:
        return Service(ServiceLevel(text))
    except ValueError:
        raise _broken(f"one of {', '.join(ServiceLevel)}") from None


def _agent(text: str) -> DedicatedAgent:
    if text:
        raise _broken("empty: such a perk has no value")
    return DedicatedAgent()


def _gift(text: str) -> BirthdayGift:
    return BirthdayGift(clean_code(text, field=_FIELD, characters_max=VALUE_CHARACTERS_MAX))


def _events(text: str) -> EventAccess:
    return EventAccess(
        clean_text(text, field=_FIELD, characters_min=1, characters_max=VALUE_CHARACTERS_MAX)
    )


_READERS: Final[Mapping[PerkKind, Callable[[str], PerkValue]]] = {
    PerkKind.DISCOUNT: _discount,
    PerkKind.EARNING_MULTIPLIER: _multiplier,
    PerkKind.FREE_SHIPPING: _free_shipping,
    PerkKind.FASTER_SHIPPING: _faster_shipping,
    PerkKind.SERVICE_LEVEL: _service,
    PerkKind.DEDICATED_AGENT: _agent,
    PerkKind.BIRTHDAY_GIFT: _gift,
    PerkKind.EVENT_ACCESS: _events,
}


def _scaled(text: str, form: re.Pattern[str], by: int, *, rule: str) -> int:
    if form.fullmatch(text) is None:
        raise _broken(rule)
    return int(Decimal(text) * by)


def _broken(rule: str) -> InvalidInput:
    return InvalidInput(field=_FIELD, rule=rule)
