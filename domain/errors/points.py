"""What the journal of points cannot take, and adjustments that cannot be approved."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


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
