"""The scalars of the API: what is taken, strictly, and what is given.

Points       integer, a JSON number, within ±(2^53−1): exact in every JavaScript client
Fen          the same for money, in fen (分)
DateTime     RFC 3339 with an offset; given in UTC as `Z`, with 6 digits of fraction or none
Date         YYYY-MM-DD
URL          http or https, at most 2,048 characters
PhoneNumber  E.164 taken; given masked

What does not fit raises ValueError with the rule. The engine answers a client's value with it; a
value of ours that does not fit is a fault of ours, and masked.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final, NewType
from urllib.parse import urlsplit

import strawberry
from strawberry.types.scalar import ScalarDefinition

from domain.errors import InvalidInput
from domain.members import mask_phone, parse_phone

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


def parse_whole_number(value: Any) -> int:
    """An integer within range."""
    # A bool is an int for Python, but not for anybody else.
    if not isinstance(value, int) or isinstance(value, bool):
        message = "must be a whole number without quotes or fraction"
        raise ValueError(message)
    if abs(value) > WHOLE_NUMBER_MAX:
        message = f"must be between -{WHOLE_NUMBER_MAX} and {WHOLE_NUMBER_MAX}"
        raise ValueError(message)
    return value


def _give_whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > WHOLE_NUMBER_MAX:
        message = f"not a whole number within range: {value!r}"
        raise ValueError(message)
    return value


def _text(value: Any, *, length_max: int) -> str:
    if not isinstance(value, str):
        message = "must be a string"
        raise ValueError(message)
    if len(value) > length_max:
        message = f"must have at most {length_max} characters"
        raise ValueError(message)
    return value


def parse_date_time(value: Any) -> datetime:
    """RFC 3339 with an offset, as aware UTC. Digits beyond microseconds are cut off."""
    message = "must be RFC 3339 with an offset, like 2026-11-22T08:30:00+08:00"
    match = _DATE_TIME.fullmatch(_text(value, length_max=40))
    if match is None:
        raise ValueError(message)
    day, time, fraction, offset = match.groups()
    microseconds = (fraction or "0")[:6].ljust(6, "0")
    try:
        parsed = datetime.fromisoformat(f"{day}T{time}.{microseconds}{offset.upper()}")
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(message) from None


def give_date_time(value: Any) -> str:
    """UTC with `Z`; the fraction is left out when it is zero, else it has 6 digits."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        message = f"not an aware datetime: {value!r}"
        raise ValueError(message)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_date(value: Any) -> date:
    """YYYY-MM-DD."""
    text = _text(value, length_max=40)
    message = "must be a day as YYYY-MM-DD"
    if _DATE.fullmatch(text) is None:
        raise ValueError(message)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(message) from None


def give_date(value: Any) -> str:
    """YYYY-MM-DD."""
    if not isinstance(value, date) or isinstance(value, datetime):
        message = f"not a date: {value!r}"
        raise ValueError(message)
    return value.isoformat()


def parse_url(value: Any) -> str:
    """An http or https address with a host, without user name and password."""
    text = _text(value, length_max=URL_LENGTH_MAX)
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
        message = "must be an http or https address"
        raise ValueError(message)
    return text


def parse_phone_number(value: Any) -> str:
    """E.164, like +8613800138000; blanks and hyphens between digits are taken out."""
    text = _text(value, length_max=PHONE_LENGTH_MAX)
    message = "must be E.164, like +8613800138000"
    if not text.startswith("+"):
        raise ValueError(message)
    try:
        return parse_phone(text)
    except InvalidInput:
        raise ValueError(message) from None


def give_phone_number(value: Any) -> str:
    """The number with its middle hidden: the country code, up to 3 digits, stars, the last 4."""
    return mask_phone(str(value))


def _give_text(value: Any) -> str:
    if not isinstance(value, str):
        message = f"not a string: {value!r}"
        raise ValueError(message)
    return value


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Points: strawberry.scalar(
        name="Points",
        description="A whole number of points, a JSON number within ±(2^53−1).",
        parse_value=parse_whole_number,
        serialize=_give_whole_number,
    ),
    Fen: strawberry.scalar(
        name="Fen",
        description="Money in fen (分, a hundredth of a yuan), a JSON number within ±(2^53−1).",
        parse_value=parse_whole_number,
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
