"""Refusals of the domain as `userErrors`: their types, and their texts in both languages.

Every refusal has one row in `TEXTS`. A refusal with facts of its own has a type of its own that
implements `UserError` and is declared by `@tells(RefusalClass)`; its further fields are read from
the refusal by name. All others are told by `PlainUserError`. A client that wants only `code` and
`message` needs no fragments.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from strawberry.utils.str_converters import to_camel_case

from domain import errors
from domain.errors import ErrorCode, Refusal
from resolvers.context import Language
from schema.fields import enum_type, interface_type, object_type
from schema.policies import PUBLIC
from schema.scalars import Points

UserErrorT = TypeVar("UserErrorT", bound="type[UserError]")


@dataclass(frozen=True, slots=True)
class Text:
    """One message in both languages; `{refusal.x}` stands for the fact x of the refusal."""

    zh: str
    en: str


TEXTS: Final[dict[ErrorCode, Text]] = {
    ErrorCode.INVALID_INPUT: Text(
        zh="填写的内容不符合要求：{refusal.rule}", en="The input is not valid: {refusal.rule}"
    ),
    ErrorCode.MEMBER_NOT_FOUND: Text(zh="没有找到该会员", en="There is no such member"),
    ErrorCode.IDEMPOTENCY_CONFLICT: Text(
        zh="该幂等键已用于内容不同的请求", en="This idempotency key was used with another input"
    ),
    ErrorCode.INSUFFICIENT_POINTS: Text(
        zh="积分不足：需要 {refusal.requested}，可用 {refusal.available}",
        en="Not enough points: {refusal.requested} needed, {refusal.available} available",
    ),
    ErrorCode.POINTS_OUT_OF_RANGE: Text(
        zh="积分数量超出允许范围", en="The number of points is out of range"
    ),
    ErrorCode.APP_UNKNOWN: Text(
        zh="该小程序不属于本会员计划", en="This app does not belong to the programme"
    ),
    ErrorCode.WECHAT_CODE_INVALID: Text(
        zh="微信登录凭证无效或已过期，请重新登录",
        en="The WeChat login code is not valid or has expired; sign in again",
    ),
    ErrorCode.WECHAT_CODE_USED: Text(
        zh="微信登录凭证已被使用，请重新登录",
        en="The WeChat login code was used before; sign in again",
    ),
    ErrorCode.WECHAT_RATE_LIMITED: Text(
        zh="登录过于频繁，请稍后再试", en="Too many sign-ins; try again later"
    ),
    ErrorCode.WECHAT_USER_BLOCKED: Text(
        zh="微信判定该账号存在风险，暂不能登录", en="WeChat blocks this account as high-risk"
    ),
    ErrorCode.WECHAT_UNAVAILABLE: Text(
        zh="微信服务繁忙，请稍后再试", en="WeChat is busy; try again later"
    ),
    ErrorCode.REFRESH_TOKEN_INVALID: Text(
        zh="登录已失效，请重新登录", en="The session has ended; sign in again"
    ),
    ErrorCode.REFRESH_TOKEN_REUSED: Text(
        zh="登录凭证被重复使用，为保护账号请重新登录",
        en="The session was ended to protect the account; sign in again",
    ),
}


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
        if one.name not in _COMMON
    }
    path = refusal.field
    return told_by(
        code=refusal.code,
        message=refusal_text(refusal, language),
        field=None if path is None else [to_camel_case(part) for part in path],
        retryable=refusal.retryable,
        **facts,
    )
