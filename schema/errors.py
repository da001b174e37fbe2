"""Refusals of the domain as `userErrors`; their texts are in `schema.texts`.

A refusal with facts that a client can act on has a type of its own that implements `UserError` and
is declared by `@tells(RefusalClass)`; its further fields are read from the refusal by name. All
others are told by `PlainUserError`. A client that wants only `code` and `message` needs no
fragments.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, TypeVar

import strawberry
from strawberry.utils.str_converters import to_camel_case

from domain import errors
from domain.errors import ErrorCode, Refusal
from resolvers.context import Language
from schema.fields import computed, enum_type, interface_type, object_type
from schema.node import encode_global_id
from schema.policies import PUBLIC
from schema.scalars import Points
from schema.texts import TEXTS

UserErrorT = TypeVar("UserErrorT", bound="type[UserError]")


def concrete_refusals() -> Iterator[type[Refusal]]:
    """Every refusal that can be raised, in the order of the tree; branches have no code."""
    pending: list[type[Refusal]] = [Refusal]
    while pending:
        refusal = pending.pop(0)
        pending[:0] = refusal.__subclasses__()
        if hasattr(refusal, "code"):
            yield refusal


enum_type(
    ErrorCode,
    descriptions={
        refusal.code.name: inspect.cleandoc(refusal.__doc__ or "")
        for refusal in concrete_refusals()
    },
)


@interface_type(policy=PUBLIC)
class UserError:
    """Why a mutation was refused. Nothing was changed."""

    code: ErrorCode
    """What was refused; treat a code that you do not know as a plain refusal."""

    message: str
    """A sentence for people, in the language of Accept-Language (zh-CN unless en is preferred)."""

    field: list[str] | None
    """The path inside `input` of the value to blame, outermost first; null when none is."""

    retryable: bool
    """Whether sending the same again later may succeed."""


PLAINLY_TOLD: Final[frozenset[type[Refusal]]] = frozenset(
    {
        errors.PointsOutOfRange,  # The number may not fit the scalar, which is the point.
        errors.EntryNotReversible,  # Callers name entries by their own documents.
        errors.ReversedBefore,  # The reference is the caller's own.
        errors.AmountInvalid,
        errors.QuantityInvalid,
        errors.CurrencyMismatch,
        errors.TextInvalid,
        errors.LinesInvalid,
        errors.RefundExceeds,  # A receipt tells the code alone.
        errors.RefundLineExceeds,
        errors.AdjustmentNotPending,  # It has no other state than that it took effect.
        errors.RewardExists,  # Whoever sent the code knows it.
        errors.LevelExists,
        errors.LevelsOutOfOrder,
        errors.PerkExists,
        errors.AccountUnknown,
        errors.CodeTaken,
        errors.ScopeNotGranted,
        errors.ConsentUnknown,
        errors.PartnerKeyLimitReached,
        errors.GameCampaignExists,
        errors.SmsUnavailable,  # What it says counts for us: whether a try is used up.
        errors.EmailUnavailable,
        errors.EmailRefused,
        errors.WeChatUnavailable,
    }
)
"""Refusals whose facts are told by their message alone. A test asks every other one for a type."""

_COMMON: Final = frozenset({"code", "message", "field", "retryable"})

_TOLD_BY: Final[dict[type[Refusal], type[UserError]]] = {}


def tells(refusal: type[Refusal]) -> Callable[[UserErrorT], UserErrorT]:
    """Declare that the class tells `refusal` and those below it, with further facts."""

    def declare(cls: UserErrorT) -> UserErrorT:
        _TOLD_BY[refusal] = cls
        return cls

    return declare


@object_type(policy=PUBLIC)
class PlainUserError(UserError):
    """A refusal without further facts."""


@tells(errors.InvalidInput)
@object_type(policy=PUBLIC)
class InvalidInput(UserError):
    """A value breaks a documented rule of its field."""

    rule: str
    """The rule that is broken."""


@tells(errors.IdempotencyConflict)
@object_type(policy=PUBLIC)
class IdempotencyConflict(UserError):
    """The idempotency key was used before with another input."""

    key: str
    """The key."""

    differing: list[str]
    """The fields of the input that differ."""


@tells(errors.InsufficientPoints)
@object_type(policy=PUBLIC)
class InsufficientPoints(UserError):
    """The available points do not cover the request."""

    available: Points
    """What may be spent now."""

    requested: Points
    """What was asked for."""

    shortfall: Points
    """What is missing."""


@tells(errors.HoldNotOpen)
@object_type(policy=PUBLIC)
class HoldNotOpen(UserError):
    """The points are not set aside any more, or never were."""

    state: str | None
    """`CAPTURED`, `RELEASED` or `EXPIRED`; null where there is no such hold."""


@tells(errors.HoldExists)
@object_type(policy=PUBLIC)
class HoldExists(UserError):
    """The order has another hold in force, of other points or of another member."""

    hold: strawberry.Private[str]

    reference: str
    """The order's reference."""

    points: Points
    """What that hold set aside."""

    state: str
    """`OPEN` or `CAPTURED`."""

    @computed(PUBLIC)
    def hold_id(self) -> strawberry.ID:
        """The id of that hold."""
        return encode_global_id("PointsHold", self.hold)


@tells(errors.TransferLimitExceeded)
@object_type(policy=PUBLIC)
class TransferLimitExceeded(UserError):
    """A member may not give away so much on one day."""

    unit: str
    """What is counted: `POINTS` or `TIMES`."""

    limit: Points
    """How much one member may give on one day of the programme."""

    used: Points
    """How much was given today."""

    requested: Points
    """What this transfer adds."""


@tells(errors.ReversalExceeds)
@object_type(policy=PUBLIC)
class ReversalExceeds(UserError):
    """More is to be undone than is left of the entry."""

    left: Points
    """What is left of it."""

    requested: Points
    """What was asked for."""


@tells(errors.ConsentOutdated)
@object_type(policy=PUBLIC)
class ConsentOutdated(UserError):
    """Other words than the current ones are agreed to."""

    current: str
    """The version of the current words, see `consentTexts`."""


@tells(errors.SignInCodeTooSoon)
@object_type(policy=PUBLIC)
class SignInCodeTooSoon(UserError):
    """Too many codes were sent to the phone."""

    retry_at: datetime
    """When another one can be sent."""


@tells(errors.EmailCodeTooSoon)
@object_type(policy=PUBLIC)
class EmailCodeTooSoon(UserError):
    """Too many codes were sent to the address."""

    retry_at: datetime
    """When another one can be sent."""


@tells(errors.TicketNotOpen)
@object_type(policy=PUBLIC)
class TicketNotOpen(UserError):
    """The ticket does not stand where this step begins."""

    state: str
    """Where it stands, a `TicketStatus`."""


@tells(errors.TooManyOpenTickets)
@object_type(policy=PUBLIC)
class TooManyOpenTickets(UserError):
    """A member may not have so many tickets open."""

    limit: int
    """How many may be."""


@tells(errors.ExportLimitReached)
@object_type(policy=PUBLIC)
class ExportLimitReached(UserError):
    """A member may not ask for their data so often."""

    limit: int
    """How often within 24 hours."""

    again_at: datetime
    """From when on it may be asked for again."""


def user_error_type(refusal: type[Refusal]) -> type[UserError]:
    """The class that tells the refusal: its own, that of the branch above it, or the plain one."""
    for ancestor in refusal.__mro__:
        if ancestor in _TOLD_BY:
            return _TOLD_BY[ancestor]
    return PlainUserError


def user_error_types() -> list[type[UserError]]:
    """All concrete types; a schema must be given them, as no field mentions them."""
    return [PlainUserError, *dict.fromkeys(_TOLD_BY.values())]


def refusal_text(refusal: Refusal, language: Language) -> str:
    """The message of the refusal."""
    text = TEXTS[refusal.code]
    return (text.en if language == "en" else text.zh).format(refusal=refusal)


def user_error(refusal: Refusal, language: Language) -> UserError:
    """The refusal as the client sees it: the path in the schema's spelling, the facts by name."""
    told_by = user_error_type(type(refusal))
    facts: dict[str, Any] = {
        one.name: getattr(refusal, one.name)
        for one in dataclasses.fields(told_by)
        if one.init and one.name not in _COMMON
    }
    if "differing" in facts:
        facts["differing"] = [to_camel_case(name) for name in facts["differing"]]
    path = refusal.field
    return told_by(
        code=refusal.code,
        message=refusal_text(refusal, language),
        field=None if path is None else [to_camel_case(part) for part in path],
        retryable=refusal.retryable,
        **facts,
    )
