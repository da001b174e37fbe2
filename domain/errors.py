"""The refusals of the domain: facts that a caller can act on, one tree.

Refusal
├── InvalidInput                    a value breaks a documented rule of its field
├── MemberNotFound                  no member answers to the reference
├── IdempotencyConflict             the same key was used with another input
├── InsufficientPoints              the balance does not cover the request
├── PointsOutOfRange                an amount outside the range of points
├── PointsRefusal                   the journal cannot take what is asked
│   ├── AccountFrozen               an audit found a fault: nothing may be spent until it is mended
│   ├── HoldNotOpen                 no such hold, or it was captured, released or has run out
│   ├── HoldExists                  the order has another hold, open or captured
│   ├── TransferLimitExceeded       more than a member may give on one day
│   ├── EntryNotReversible          no such entry, or one of a kind that cannot be undone so
│   ├── ReversalExceeds             more than is left of the entry
│   └── ReversedBefore              the same cause undid a part of this entry already
├── AdjustmentRefusal               an adjustment cannot be approved
│   ├── AdjustmentUnknown           there is none with this id
│   ├── ApprovalByRequester         whoever asked for it cannot approve it
│   └── AdjustmentNotPending        it took effect before
├── AccessRefusal                   an API client or staff account cannot be given what is asked
│   ├── AccountUnknown              no enabled account has this code
│   ├── CodeTaken                   another account has this code
│   └── ScopeNotGranted             the account does not hold the scope
├── OrderRefusal                    an order cannot be recorded as it was sent
│   ├── AmountInvalid               an amount is negative or above 2^53−1 fen
│   ├── QuantityInvalid             a quantity is negative or above 2^31−1
│   ├── FutureDated                 the order was placed in the future
│   ├── CurrencyMismatch            the order is in another currency than the programme's
│   ├── TextInvalid                 a code or a name is empty, too long or not plain text
│   └── LinesInvalid                no line, too many lines, or one line id twice
├── WeChatRefusal                   WeChat did not vouch for the user
│   ├── UnknownApp                  the app id is not one of this programme
│   ├── WeChatCodeInvalid           the login code is unknown or has expired
│   ├── WeChatCodeUsed              the login code was exchanged before
│   ├── WeChatRateLimited           WeChat limits how often this user may sign in
│   ├── WeChatUserBlocked           WeChat classes the user as high-risk
│   └── WeChatUnavailable           WeChat is busy, slow or not reachable
└── SessionRefusal                  a refresh token cannot be exchanged
    ├── RefreshTokenInvalid         unknown, expired or signed out
    └── RefreshTokenReused          presented twice: its whole family is revoked

A refusal is raised inside the use case's transaction, which rolls back: a refusal changes nothing.
Everything that is not a Refusal is a fault of ours: masked, logged and counted at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Stable names of the refusals. Additive: a client treats an unknown one as a plain refusal."""

    INVALID_INPUT = "INVALID_INPUT"
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"
    POINTS_OUT_OF_RANGE = "POINTS_OUT_OF_RANGE"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    HOLD_NOT_OPEN = "HOLD_NOT_OPEN"
    HOLD_EXISTS = "HOLD_EXISTS"
    TRANSFER_LIMIT_EXCEEDED = "TRANSFER_LIMIT_EXCEEDED"
    ENTRY_NOT_REVERSIBLE = "ENTRY_NOT_REVERSIBLE"
    REVERSAL_EXCEEDS = "REVERSAL_EXCEEDS"
    REVERSED_BEFORE = "REVERSED_BEFORE"
    ADJUSTMENT_UNKNOWN = "ADJUSTMENT_UNKNOWN"
    APPROVAL_BY_REQUESTER = "APPROVAL_BY_REQUESTER"
    ADJUSTMENT_NOT_PENDING = "ADJUSTMENT_NOT_PENDING"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    QUANTITY_INVALID = "QUANTITY_INVALID"
    FUTURE_DATED = "FUTURE_DATED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    TEXT_INVALID = "TEXT_INVALID"
    LINES_INVALID = "LINES_INVALID"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    CODE_TAKEN = "CODE_TAKEN"
    SCOPE_NOT_GRANTED = "SCOPE_NOT_GRANTED"
    APP_UNKNOWN = "APP_UNKNOWN"
    WECHAT_CODE_INVALID = "WECHAT_CODE_INVALID"
    WECHAT_CODE_USED = "WECHAT_CODE_USED"
    WECHAT_RATE_LIMITED = "WECHAT_RATE_LIMITED"
    WECHAT_USER_BLOCKED = "WECHAT_USER_BLOCKED"
    WECHAT_UNAVAILABLE = "WECHAT_UNAVAILABLE"
    REFRESH_TOKEN_INVALID = "REFRESH_TOKEN_INVALID"  # noqa: S105 - the name of a code
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 - the name of a code


@dataclass(eq=False, kw_only=True)
class Refusal(Exception):
    """The root. `field` is the path inside the input, outermost first, where one is to blame."""

    code: ClassVar[ErrorCode]
    retryable: ClassVar[bool] = False
    field: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.__dict__}"


@dataclass(eq=False, kw_only=True)
class InvalidInput(Refusal):
    """Returned when a value breaks a documented rule of its field; `rule` says which."""

    code = ErrorCode.INVALID_INPUT
    rule: str


@dataclass(eq=False, kw_only=True)
class MemberNotFound(Refusal):
    """Returned when no member answers to the reference."""

    code = ErrorCode.MEMBER_NOT_FOUND


@dataclass(eq=False, kw_only=True)
class IdempotencyConflict(Refusal):
    """Returned when the same key was used with another input; names the fields that differ."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT
    key: str
    differing: tuple[str, ...]


@dataclass(eq=False, kw_only=True)
class InsufficientPoints(Refusal):
    """Returned when the available points do not cover the request."""

    code = ErrorCode.INSUFFICIENT_POINTS
    available: int
    requested: int

    @property
    def shortfall(self) -> int:
        """The points that are missing."""
        return self.requested - self.available


@dataclass(eq=False, kw_only=True)
class PointsOutOfRange(Refusal):
    """Returned when an amount, or the balance after it, leaves the range of points (±(2^53−1))."""

    code = ErrorCode.POINTS_OUT_OF_RANGE
    points: int


@dataclass(eq=False, kw_only=True)
class PointsRefusal(Refusal):
    """The branch of what the journal of points cannot take."""


@dataclass(eq=False, kw_only=True)
class AccountFrozen(PointsRefusal):
    """Returned when an audit froze the account: nothing is spent until staff release it."""

    code = ErrorCode.ACCOUNT_FROZEN


@dataclass(eq=False, kw_only=True)
class HoldNotOpen(PointsRefusal):
    """Returned when the hold is not there, or was captured, released or ran out (`state`)."""

    code = ErrorCode.HOLD_NOT_OPEN
    state: str | None


@dataclass(eq=False, kw_only=True)
class HoldExists(PointsRefusal):
    """Returned when the order has another hold, of other points or another member, in force.

    `hold` is that hold's key; `state` is OPEN or CAPTURED.
    """

    code = ErrorCode.HOLD_EXISTS
    hold: str
    reference: str
    points: int
    state: str


@dataclass(eq=False, kw_only=True)
class TransferLimitExceeded(PointsRefusal):
    """Returned when a member would give away more on one day than the programme allows.

    `unit` says what `limit`, `used` and `requested` count: POINTS or TIMES.
    """

    code = ErrorCode.TRANSFER_LIMIT_EXCEEDED
    unit: str
    limit: int
    used: int
    requested: int


@dataclass(eq=False, kw_only=True)
class EntryNotReversible(PointsRefusal):
    """Returned when the entry is not there or of a kind that cannot be undone so."""

    code = ErrorCode.ENTRY_NOT_REVERSIBLE
    entry: int
    kind: str | None


@dataclass(eq=False, kw_only=True)
class ReversalExceeds(PointsRefusal):
    """Returned when more is to be undone than is left of the entry."""

    code = ErrorCode.REVERSAL_EXCEEDS
    left: int
    requested: int


@dataclass(eq=False, kw_only=True)
class ReversedBefore(PointsRefusal):
    """Returned when the same cause undid a part of this entry already."""

    code = ErrorCode.REVERSED_BEFORE
    reference: str


@dataclass(eq=False, kw_only=True)
class AdjustmentRefusal(Refusal):
    """The branch of adjustments that cannot be approved."""


@dataclass(eq=False, kw_only=True)
class AdjustmentUnknown(AdjustmentRefusal):
    """Returned when there is no adjustment with this id."""

    code = ErrorCode.ADJUSTMENT_UNKNOWN


@dataclass(eq=False, kw_only=True)
class ApprovalByRequester(AdjustmentRefusal):
    """Returned when whoever asked for an adjustment would approve it: somebody else has to."""

    code = ErrorCode.APPROVAL_BY_REQUESTER


@dataclass(eq=False, kw_only=True)
class AdjustmentNotPending(AdjustmentRefusal):
    """Returned when the adjustment took effect already (`status`)."""

    code = ErrorCode.ADJUSTMENT_NOT_PENDING
    status: str


@dataclass(eq=False, kw_only=True)
class OrderRefusal(Refusal):
    """The branch of orders that cannot be recorded as they were sent."""


@dataclass(eq=False, kw_only=True)
class AmountInvalid(OrderRefusal):
    """Returned when an amount of money is negative or above 2^53−1 fen."""

    code = ErrorCode.AMOUNT_INVALID
    amount_fen: int


@dataclass(eq=False, kw_only=True)
class QuantityInvalid(OrderRefusal):
    """Returned when a quantity is negative or above 2^31−1."""

    code = ErrorCode.QUANTITY_INVALID
    quantity: int


@dataclass(eq=False, kw_only=True)
class FutureDated(OrderRefusal):
    """Returned when an order was placed more than five minutes after the server's present."""

    code = ErrorCode.FUTURE_DATED


@dataclass(eq=False, kw_only=True)
class CurrencyMismatch(OrderRefusal):
    """Returned when an order is in another currency than the programme's."""

    code = ErrorCode.CURRENCY_MISMATCH
    currency: str
    expected: str


@dataclass(eq=False, kw_only=True)
class TextInvalid(OrderRefusal):
    """Returned when a code or a name is empty, too long or not plain text; `rule` says which."""

    code = ErrorCode.TEXT_INVALID
    rule: str


@dataclass(eq=False, kw_only=True)
class LinesInvalid(OrderRefusal):
    """Returned when an order has no line, too many lines, or one line id twice."""

    code = ErrorCode.LINES_INVALID
    rule: str


@dataclass(eq=False, kw_only=True)
class AccessRefusal(Refusal):
    """The branch of what an API client or a staff account is not given."""


@dataclass(eq=False, kw_only=True)
class AccountUnknown(AccessRefusal):
    """Returned when no enabled API client or staff account has this code."""

    code = ErrorCode.ACCOUNT_UNKNOWN
    account: str


@dataclass(eq=False, kw_only=True)
class CodeTaken(AccessRefusal):
    """Returned when another API client or staff account was registered under this code."""

    code = ErrorCode.CODE_TAKEN
    account: str


@dataclass(eq=False, kw_only=True)
class ScopeNotGranted(AccessRefusal):
    """Returned when scopes are asked for that the API client does not hold."""

    code = ErrorCode.SCOPE_NOT_GRANTED
    missing: tuple[str, ...]


@dataclass(eq=False, kw_only=True)
class WeChatRefusal(Refusal):
    """The branch of what WeChat did not vouch for."""


@dataclass(eq=False, kw_only=True)
class UnknownApp(WeChatRefusal):
    """Returned when the app id is not one of this programme's, or its secret is wrong."""

    code = ErrorCode.APP_UNKNOWN


@dataclass(eq=False, kw_only=True)
class WeChatCodeInvalid(WeChatRefusal):
    """Returned when the login code is unknown to WeChat or older than five minutes."""

    code = ErrorCode.WECHAT_CODE_INVALID


@dataclass(eq=False, kw_only=True)
class WeChatCodeUsed(WeChatRefusal):
    """Returned when the login code was exchanged before; `wx.login` gives a fresh one."""

    code = ErrorCode.WECHAT_CODE_USED


@dataclass(eq=False, kw_only=True)
class WeChatRateLimited(WeChatRefusal):
    """Returned when WeChat limits how often this user may sign in (100 times a minute)."""

    code = ErrorCode.WECHAT_RATE_LIMITED
    retryable = True


@dataclass(eq=False, kw_only=True)
class WeChatUserBlocked(WeChatRefusal):
    """Returned when WeChat classes the user as high-risk and blocks the sign-in."""

    code = ErrorCode.WECHAT_USER_BLOCKED


@dataclass(eq=False, kw_only=True)
class WeChatUnavailable(WeChatRefusal):
    """Returned when WeChat stays busy, slow or unreachable after the bounded retries."""

    code = ErrorCode.WECHAT_UNAVAILABLE
    retryable = True


@dataclass(eq=False, kw_only=True)
class SessionRefusal(Refusal):
    """The branch of refresh tokens that cannot be exchanged."""


@dataclass(eq=False, kw_only=True)
class RefreshTokenInvalid(SessionRefusal):
    """Returned when the refresh token is unknown, expired or signed out: sign in again."""

    code = ErrorCode.REFRESH_TOKEN_INVALID


@dataclass(eq=False, kw_only=True)
class RefreshTokenReused(SessionRefusal):
    """Returned when a refresh token is presented a second time: its family is revoked."""

    code = ErrorCode.REFRESH_TOKEN_REUSED
