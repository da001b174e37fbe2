"""What a person's record cannot take, and sign-ins by phone that nobody vouches for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class PhoneRefusal(Refusal):
    """The branch of numbers that cannot be proved."""


@dataclass(eq=False, kw_only=True)
class SignInCodeInvalid(PhoneRefusal):
    """Returned when the sign-in code is wrong, used, five minutes old or tried five times."""

    code = ErrorCode.SIGN_IN_CODE_INVALID


@dataclass(eq=False, kw_only=True)
class SignInCodeTooSoon(PhoneRefusal):
    """Returned when a code was sent a minute ago, or ten in a day; `retry_at` is when to ask."""

    code = ErrorCode.SIGN_IN_CODE_TOO_SOON
    retryable = True
    retry_at: datetime


@dataclass(eq=False, kw_only=True)
class SmsUnavailable(PhoneRefusal):
    """Returned when text messages cannot be sent now, or the programme has no sender."""

    code = ErrorCode.SMS_UNAVAILABLE
    retryable = True
    # False where the sender said that it was not. It counts for us; clients are not told.
    perhaps_sent: bool = True


@dataclass(eq=False, kw_only=True)
class PhoneOfAnother(PhoneRefusal):
    """Returned when the phone leads to another member's record, and the two cannot be joined."""

    code = ErrorCode.PHONE_OF_ANOTHER


@dataclass(eq=False, kw_only=True)
class ConsentRefusal(Refusal):
    """The branch of consents that cannot be given so; withdrawing is never refused."""


@dataclass(eq=False, kw_only=True)
class ConsentUnknown(ConsentRefusal):
    """Returned when the programme asks for no consent to this purpose."""

    code = ErrorCode.CONSENT_UNKNOWN
    purpose: str


@dataclass(eq=False, kw_only=True)
class ConsentOutdated(ConsentRefusal):
    """Returned when other words than the current ones are agreed to; `current` is their version."""

    code = ErrorCode.CONSENT_OUTDATED
    current: str


@dataclass(eq=False, kw_only=True)
class MergeRefusal(Refusal):
    """The branch of records that cannot be joined, or not be parted again."""


@dataclass(eq=False, kw_only=True)
class MergeUnknown(MergeRefusal):
    """Returned when there is no such merge, or nobody's record came to the member."""

    code = ErrorCode.MERGE_UNKNOWN


@dataclass(eq=False, kw_only=True)
class MergeNotUndoable(MergeRefusal):
    """Returned when a merge is a day old, undone already, or not the last of one of the two."""

    code = ErrorCode.MERGE_NOT_UNDOABLE
