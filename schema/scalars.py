"""The scalars of the API: what is taken, strictly, and what is given.

Points       integer, a JSON number, within ±(2^53−1): exact in every JavaScript client
Fen          the same for money, in fen (分)
DateTime     RFC 3339 with an offset; given in UTC as `Z`, with 6 digits of fraction or none
Date         YYYY-MM-DD
URL          http or https, at most 2,048 characters
PhoneNumber  E.164 taken; given masked

What does not fit is refused by a message that names the rule. A value of ours that does not fit is
a fault of ours: it raises ValueError, which is masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final, NewType
from urllib.parse import urlsplit

import phonenumbers
import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

Points = NewType("Points", int)
"""An amount of points."""

Fen = NewType("Fen", int)
"""An amount of money in fen."""

URL = NewType("URL", str)
"""An http or https address."""

PhoneNumber = NewType("PhoneNumber", str)
"""A telephone number in E.164."""

WHOLE_NUMBER_MAX: Final = 2**53 - 1
URL_LENGTH_MAX: Final = 2_048
PHONE_LENGTH_MAX: Final = 20

_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)", re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_URL_CHARACTERS = re.compile(r"[!-~\u00a1-\U0010ffff]+")


def _whole_number(name: str) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        # A bool is an int for Python, but not for anybody else.
        if not isinstance(value, int) or isinstance(value, bool):
            message = f"{name} must be a whole number without quotes or fraction."
            raise GraphQLError(message)
        if abs(value) > WHOLE_NUMBER_MAX:
            message = f"{name} must be between -9007199254740991 and 9007199254740991."
            raise GraphQLError(message)
        return value

    return parse


def _give_whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > WHOLE_NUMBER_MAX:
        message = f"not a whole number within range: {value!r}"
        raise ValueError(message)
    return value


def _text(value: Any, *, name: str, length_max: int) -> str:
    if not isinstance(value, str):
        message = f"{name} must be a string."
        raise GraphQLError(message)
    if len(value) > length_max:
        message = f"{name} must have at most {length_max} characters."
        raise GraphQLError(message)
    return value


def parse_date_time(value: Any) -> datetime:
    """RFC 3339 with an offset, as aware UTC. Digits beyond microseconds are cut off."""
    message = "DateTime must be RFC 3339 with an offset, like 2026-11-22T08:30:00+08:00."
    match = _DATE_TIME.fullmatch(_text(value, name="DateTime", length_max=40))
    if match is None:
        raise GraphQLError(message)
    day, time, fraction, offset = match.groups()
    microseconds = (fraction or "0")[:6].ljust(6, "0")
    try:
        parsed = datetime.fromisoformat(f"{day}T{time}.{microseconds}{offset.upper()}")
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(message) from None


def give_date_time(value: Any) -> str:
    """UTC with `Z`; the fraction is left out when it is zero, else it has 6 digits."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        message = f"not an aware datetime: {value!r}"
        raise ValueError(message)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_date(value: Any) -> date:
    """YYYY-MM-DD."""
    text = _text(value, name="Date", length_max=40)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    message = "Date must be YYYY-MM-DD."
    raise GraphQLError(message)


def give_date(value: Any) -> str:
    """YYYY-MM-DD."""
    if not isinstance(value, date) or isinstance(value, datetime):
        message = f"not a date: {value!r}"
        raise ValueError(message)
    return value.isoformat()


def parse_url(value: Any) -> str:
    """An http or https address with a host, without user name and password."""
    text = _text(value, name="URL", length_max=URL_LENGTH_MAX)
    try:
        parts = urlsplit(text)
        fits = (
            _URL_CHARACTERS.fullmatch(text) is not None
            and parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        fits = False
    if not fits:
        message = "URL must be an http or https address."
        raise GraphQLError(message)
    return text


def parse_phone_number(value: Any) -> str:
    """E.164, like +8613800138000; blanks and hyphens between digits are taken out."""
    text = _text(value, name="PhoneNumber", length_max=PHONE_LENGTH_MAX)
    try:
        number = phonenumbers.parse(text, None) if text.startswith("+") else None
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        message = "PhoneNumber must be E.164, like +8613800138000."
        raise GraphQLError(message)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def give_phone_number(value: Any) -> str:
    """The number with its middle hidden: the country code, up to 3 digits, stars, the last 4."""
    number = phonenumbers.parse(str(value), None)
    national = phonenumbers.national_significant_number(number)
    shown = 3 if len(national) >= 10 else 0
    hidden = "*" * max(len(national) - shown - 4, 4)
    return f"+{number.country_code}{national[:shown]}{hidden}{national[-4:]}"


def _give_text(value: Any) -> str:
    if not isinstance(value, str):
        message = f"not a string: {value!r}"
        raise ValueError(message)
    return value


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Points: strawberry.scalar(
        name="Points",
        description="A whole number of points, a JSON number within ±(2^53−1).",
        parse_value=_whole_number("Points"),
        serialize=_give_whole_number,
    ),
    Fen: strawberry.scalar(
        name="Fen",
        description="Money in fen (分, a hundredth of a yuan), a JSON number within ±(2^53−1).",
        parse_value=_whole_number("Fen"),
        serialize=_give_whole_number,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "A moment, RFC 3339. Taken with any offset, to the microsecond; given in UTC with Z."
        ),
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        parse_value=parse_date_time,
        serialize=give_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day, YYYY-MM-DD.",
        parse_value=parse_date,
        serialize=give_date,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An http or https address of at most 2,048 characters.",
        parse_value=parse_url,
        serialize=_give_text,
    ),
    PhoneNumber: strawberry.scalar(
        name="PhoneNumber",
        description="A telephone number: taken in E.164, given with its middle hidden.",
        parse_value=parse_phone_number,
        serialize=give_phone_number,
    ),
}
"""What `schema.building` passes to Strawberry: Python type -> scalar."""
