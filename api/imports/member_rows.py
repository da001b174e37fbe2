"""One row of a file of members: what it says of one, and lots of theirs. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from api.imports.mapping import ColumnMapping
from api.imports.reading import Values
from api.imports.rejects import Reject, RejectCode
from api.imports.values import end_microseconds_of, microseconds_of, whole_of
from domain.errors import InvalidInput
from domain.ledger import POINTS_MAX
from domain.members import parse_phone
from domain.texts import is_identity

EXTERNAL_ID_LENGTH_MAX: Final = 128
SEPARATOR: Final = ";"
"""Between several values in one cell: themes, openids."""

NEVER_WORDS: Final = frozenset({"never"})
"""What an expiry may say instead of a moment; a blank one means the same."""

Said: TypeAlias = dict[str, str | int]
"""What a row says of its member, by field, in plain values; moments are microseconds of 1970."""


class Lot(NamedTuple):
    """Points of one row; moments are microseconds since 1970, an expiry of None is never."""

    points: int
    expires_us: int | None
    earned_us: int | None
    matures_us: int | None


class MemberRow(NamedTuple):
    """A row that can be read. What it leaves blank it does not say."""

    external_id: str
    said: Said
    lots: Sequence[Lot]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberForm:
    """How a file writes dates. `zone` is that of dates without an offset, `date_form` in the words
    of strptime (None: ISO 8601)."""

    zone: ZoneInfo
    date_form: str | None = None


class _Refused(Exception):
    def __init__(self, code: RejectCode, reason: str) -> None:
        self.reject = Reject(code.value, reason)


_GENDERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("female", "f", "女"), "female"),
    **dict.fromkeys(("male", "m", "男"), "male"),
    **dict.fromkeys(("other", "其他"), "other"),
}
_LOT_FIELDS: Final = frozenset({"points", "expires_at", "earned_at", "matures_at"})


class MemberRows:
    """Reads rows whose values stand in the order of `mapping.columns`."""

    def __init__(self, mapping: ColumnMapping, form: MemberForm) -> None:
        self._mapping, self._form = mapping, form
        self._readers: dict[str, Callable[[str], str | int]] = {
            "member_id": _read_id,
            "phone": _read_phone,
            "gender": _read_gender,
            "birthday": self._read_day,
            "joined_at": self._moment("joined_at"),
            "interests": _read_list,
            "wechat_openid": _read_openids,
            "level_since": self._moment("level_since"),
            "level_keep_until": self._end("level_keep_until"),
            **dict.fromkeys(
                (
                    *("wechat_unionid", "alipay", "shop_card", "nickname", "avatar_url"),
                    *("preferred_channel", "level"),
                ),
                str,
            ),
        }
        self._positions = {
            name: mapping.positions(name)
            for name in (
                *self._readers,
                *("external_id", "points", "points_expires_at", "points_earned_at"),
                *("points_matures_at", "lots", "debt"),
            )
        }

    def read(self, values: Values) -> MemberRow | Reject:
        """What the row says; or the first reason why it cannot be read."""
        try:
            return MemberRow(
                external_id=self._external_id(values),
                said={
                    name: read(text)
                    for name, read in self._readers.items()
                    if (text := self._value(name, values)) is not None
                },
                lots=self._lots(values),
            )
        except _Refused as refused:
            return refused.reject

    def external_id_of(self, values: Values) -> str | None:
        """Whose row a refused one is, as far as it tells: no other of theirs is imported then."""
        try:
            return self._external_id(values)
        except _Refused:
            return None

    def _value(self, field: str, values: Values) -> str | None:
        """The first of the field's columns that has a value; spaces around it are no part of it."""
        for position in self._positions[field]:
            text = values[position]
            if text is not None and (stripped := text.strip()):
                return stripped
        return None

    def _external_id(self, values: Values) -> str:
        text = self._value("external_id", values)
        if text is None:
            raise _Refused(RejectCode.MEMBER_MISSING, "external_id is empty")
        if not is_identity(text, characters_max=EXTERNAL_ID_LENGTH_MAX):
            rule = f"plain text of 1 to {EXTERNAL_ID_LENGTH_MAX} characters that are seen"
            raise _Refused(RejectCode.TEXT_INVALID, f"external_id is not {rule}")
        return text

    def _lots(self, values: Values) -> Sequence[Lot]:
        debt = self._value("debt", values)
        if debt is not None and whole_of(debt) != 0:
            raise _Refused(
                RejectCode.DEBT, f"the member owes points ({_shown(debt)}): debts are not imported"
            )
        points, lots = self._value("points", values), self._value("lots", values)
        if points is not None and lots is not None:
            raise _Refused(RejectCode.LOTS_INVALID, "the row has both points and lots")
        told: Sequence[Mapping[str, Any]] = []
        if lots is not None:
            told = _read_lots(lots)
        elif points is not None:
            moments = ("expires_at", "earned_at", "matures_at")
            moment = {name: self._value(f"points_{name}", values) for name in moments}
            told = [{"points": points, **moment}]
        return [lot for lot in map(self._lot, told) if lot.points > 0]

    def _lot(self, told: Mapping[str, Any]) -> Lot:
        texts = {name: None if value is None else str(value) for name, value in told.items()}
        expires = texts.get("expires_at") or None
        if expires in NEVER_WORDS:
            expires = None
        earned, matures = texts.get("earned_at"), texts.get("matures_at")
        return Lot(
            points=_read_points(texts.get("points") or ""),
            expires_us=None if expires is None else self._end("points_expires_at")(expires),
            earned_us=self._moment("points_earned_at")(earned) if earned else None,
            matures_us=self._moment("points_matures_at")(matures) if matures else None,
        )

    def _moment(self, field: str) -> Callable[[str], int]:
        def read(text: str) -> int:
            found = microseconds_of(text, zone=self._form.zone, form=self._form.date_form)
            return _checked(found, field, text)

        return read

    def _end(self, field: str) -> Callable[[str], int]:
        def read(text: str) -> int:
            found = end_microseconds_of(text, zone=self._form.zone, form=self._form.date_form)
            return _checked(found, field, text)

        return read

    def _read_day(self, text: str) -> str:
        try:
            if self._form.date_form is None:
                return datetime.fromisoformat(text).date().isoformat()
            # A birthday is a day wherever it is; no zone has a part in it.
            return datetime.strptime(text, self._form.date_form).date().isoformat()  # noqa: DTZ007
        except ValueError:
            reason = f"birthday {_shown(text)} is not a date"
            raise _Refused(RejectCode.DATE_INVALID, reason) from None


def _checked(microseconds: int | None, field: str, text: str) -> int:
    if microseconds is None:
        raise _Refused(RejectCode.DATE_INVALID, f"{field} {_shown(text)} is not a date and time")
    return microseconds


def _read_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise _Refused(
            RejectCode.IDENTITY_REFUSED, f"member_id {_shown(text)} is no id of an export"
        ) from None


def _read_phone(text: str) -> str:
    try:
        return parse_phone(text)
    except InvalidInput as refusal:
        # Never the number itself: reasons are printed.
        raise _Refused(RejectCode.PHONE_INVALID, f"phone is not {refusal.rule}") from None


def _read_gender(text: str) -> str:
    gender = _GENDERS.get(text.lower())
    if gender is None:
        raise _Refused(
            RejectCode.GENDER_INVALID, f"gender {_shown(text)} is not female, male or other"
        )
    return gender


def _read_list(text: str) -> str:
    """Several values, each once, in one order."""
    values = {value.strip() for value in text.replace("；", SEPARATOR).split(SEPARATOR)}
    return SEPARATOR.join(sorted(values - {""}))


def _read_openids(text: str) -> str:
    openids = _read_list(text)
    if not all(all(openid.partition(":")) for openid in openids.split(SEPARATOR)):
        raise _Refused(
            RejectCode.IDENTITY_REFUSED, f"wechat_openid {_shown(text)} is not APPID:OPENID"
        )
    return openids


def _read_points(text: str) -> int:
    points = whole_of(text)
    if points is None or not 0 <= points <= POINTS_MAX:
        raise _Refused(
            RejectCode.POINTS_INVALID,
            f"points {_shown(text)} is not a whole number from 0 to {POINTS_MAX}",
        )
    return points


def _read_lots(text: str) -> Sequence[Mapping[str, Any]]:
    try:
        lots = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        lots = None
    if not (
        isinstance(lots, list)
        and all(isinstance(lot, dict) and "points" in lot for lot in lots)
        and all(_LOT_FIELDS.issuperset(lot) for lot in lots)
    ):
        rule = '[{"points": 1, "expires_at": …, "earned_at": …, "matures_at": …}]'
        raise _Refused(RejectCode.LOTS_INVALID, f"lots is not a list of objects like {rule}")
    return lots


def _shown(text: str) -> str:
    """Enough of a bad value to find it by, safe to print."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
