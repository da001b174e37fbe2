"""What members say of themselves, and change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from domain.errors import InvalidInput
from domain.members.standing import lock_member
from domain.members.values import MEMBER_COLUMNS, Gender, Member, member_of
from domain.outbox import Event, announce
from domain.storage import execute, fetch_one, transaction
from domain.texts import clean_code, clean_name, clean_text

NICKNAME_CHARACTERS_MAX: Final = 64
AVATAR_URL_CHARACTERS_MAX: Final = 2048
CHANNEL_CHARACTERS_MAX: Final = 32
BIRTHDAY_MIN: Final = date(1900, 1, 1)

_EASTERNMOST: Final = timedelta(hours=14)
"""The offset of the time zone where a day begins first."""


class Unchanged(Enum):
    """Says of a field that it is not mentioned, as opposed to None, which clears it."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED

T = TypeVar("T")
Change: TypeAlias = T | Unchanged | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProfile:
    """Change what is mentioned; None clears. A nickname that is cleared is the empty text."""

    member_id: UUID
    nickname: Change[str] = UNCHANGED
    avatar_url: Change[str] = UNCHANGED
    birthday: Change[date] = UNCHANGED
    gender: Change[str] = UNCHANGED
    preferred_channel: Change[str] = UNCHANGED


async def update_profile(command: UpdateProfile, *, now: datetime) -> Member:
    """The member with the changes. Saying what is so already changes nothing, nor the version.

    Raises InvalidInput with the field that breaks a rule, and MemberNotFound.
    """
    changes = clean_profile(command, now=now)

    async def work() -> Member:
        member_id = await lock_member(command.member_id)
        row = await fetch_one(f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.id = $1", member_id)
        assert row is not None, "it is locked"
        before = member_of(row)
        after = replace(before, **changes)
        if after == before:
            return before
        return await _write(before, replace(after, version=before.version + 1), now=now)

    return await transaction(work)


async def _write(before: Member, after: Member, *, now: datetime) -> Member:
    await execute(
        "UPDATE member SET nickname = $2, avatar_url = $3, birthday = $4, gender = $5,"
        " preferred_channel = $6, version = $7 WHERE id = $1",
        *(after.id, after.nickname, after.avatar_url, after.birthday),
        after.gender.value if after.gender else None,
        *(after.preferred_channel, after.version),
    )
    changed = [
        field.name
        for field in fields(Member)
        if field.name != "version" and getattr(before, field.name) != getattr(after, field.name)
    ]
    # Which fields changed, never to what: an event outlives an erasure.
    facts = {"fields": changed}
    await announce([Event(kind="ProfileUpdated", member_id=after.id, facts=facts)], now=now)
    return after


def clean_profile(command: UpdateProfile, *, now: datetime) -> dict[str, Any]:
    """The changes by name of the member's attribute, checked in the order of the fields."""
    rules: dict[str, Callable[[Any], Any]] = {
        "nickname": _clean_nickname,
        "avatar_url": _clean_url,
        "birthday": lambda birthday: _clean_birthday(birthday, now),
        "gender": _clean_gender,
        "preferred_channel": _clean_channel,
    }
    said = {name: getattr(command, name) for name in rules}
    if said["nickname"] is None:
        said["nickname"] = ""
    return {
        name: None if value is None else rules[name](value)
        for name, value in said.items()
        if value is not UNCHANGED
    }


def _clean_nickname(nickname: str) -> str:
    return clean_name(nickname, field=("nickname",), characters_max=NICKNAME_CHARACTERS_MAX)


def _clean_channel(channel: str) -> str:
    return clean_code(channel, field=("preferred_channel",), characters_max=CHANNEL_CHARACTERS_MAX)


def _clean_url(url: str) -> str:
    clean_text(url, field=("avatar_url",), characters_max=AVATAR_URL_CHARACTERS_MAX)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or " " in url:
        raise InvalidInput(field=("avatar_url",), rule="an http or https URL")
    return url


def _clean_birthday(birthday: date, now: datetime) -> date:
    if birthday < BIRTHDAY_MIN:
        raise InvalidInput(field=("birthday",), rule=f"not before {BIRTHDAY_MIN}")
    # Today, wherever on Earth the member is.
    if birthday > (now + _EASTERNMOST).date():
        raise InvalidInput(field=("birthday",), rule="not in the future")
    return birthday


def _clean_gender(gender: str) -> Gender:
    try:
        return Gender(gender)
    except ValueError:
        raise InvalidInput(field=("gender",), rule=f"one of {', '.join(Gender)}") from None
