"""E-mail addresses that cannot be proved, and mails that cannot be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class EmailRefusal(Refusal):
    """The branch of e-mail addresses that cannot be proved."""


@dataclass(eq=False, kw_only=True)
class EmailCodeInvalid(EmailRefusal):
    """Returned when the code of an e-mail is wrong, used, half an hour old or tried five times."""

    code = ErrorCode.EMAIL_CODE_INVALID


@dataclass(eq=False, kw_only=True)
class EmailCodeTooSoon(EmailRefusal):
    """Returned when a code was sent to the address a minute ago, or ten in a day to it or for the
    member; see `retry_at`.
    """

    code = ErrorCode.EMAIL_CODE_TOO_SOON
    retryable = True
    retry_at: datetime


@dataclass(eq=False, kw_only=True)
class EmailUnavailable(EmailRefusal):
    """Returned when e-mail cannot be sent now, or the programme has no mail server."""

    code = ErrorCode.EMAIL_UNAVAILABLE
    retryable = True
    # False where it surely was not. It counts for us; clients are not told.
    perhaps_sent: bool = True


@dataclass(eq=False, kw_only=True)
class EmailRefused(EmailRefusal):
    """Returned when the mail server takes no mail for the address, however often it is asked."""

    code = ErrorCode.EMAIL_REFUSED
    # What the server answered. It counts for us; clients are not told.
    status: int
