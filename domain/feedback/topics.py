"""Topics of feedback and causes of what went wrong: data of the programme, which staff define."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from domain import audit
from domain.audit import Actor, Target
from domain.errors import CauseUnknown, DefinitionChanged, TopicUnknown
from domain.outbox import Event, announce
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_code, clean_text

CODE_CHARACTERS_MAX: Final = 64
NAME_CHARACTERS_MAX: Final = 100
CODES_MAX: Final = 200
"""So many topics, and so many causes, are read; more than people can choose among."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What feedback may be about. One that is not active is offered no more, and stays known."""

    code: str
    name_zh: str
    name_en: str
    active: bool = True
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something went wrong, of one topic or, without one, of any."""

    code: str
    topic: str | None
    name_zh: str
    name_en: str
    active: bool = True
    version: int = 0


async def topics(*, all_of_them: bool = False) -> Sequence[Topic]:
    """The topics that are offered, or all of them, by code."""
    rows = await fetch_all(
        "SELECT code, name_zh, name_en, active, version FROM feedback_topic"
        f"{'' if all_of_them else ' WHERE active'} ORDER BY code LIMIT {CODES_MAX}"
    )
    return [_topic_of(row) for row in rows]


async def causes(*, all_of_them: bool = False) -> Sequence[Cause]:
    """The causes that are in use, or all of them, by code."""
    rows = await fetch_all(
        "SELECT code, topic, name_zh, name_en, active, version FROM feedback_cause"
        f"{'' if all_of_them else ' WHERE active'} ORDER BY code LIMIT {CODES_MAX}"
    )
    return [_cause_of(row) for row in rows]


async def find_topic(code: str) -> Topic:
    """The topic in use with this code. Refused: TopicUnknown."""
    row = await fetch_one(
        "SELECT code, name_zh, name_en, active, version FROM feedback_topic"
        " WHERE code = $1 AND active",
        code,
    )
    if row is None:
        raise TopicUnknown(field=("topic",))
    return _topic_of(row)


async def find_cause(code: str, *, topic: str) -> Cause:
    """The cause in use with this code, of the topic or of any. Refused: CauseUnknown."""
    row = await fetch_one(
        "SELECT code, topic, name_zh, name_en, active, version FROM feedback_cause"
        " WHERE code = $1 AND active AND (topic IS NULL OR topic = $2)",
        *(code, topic),
    )
    if row is None:
        raise CauseUnknown(field=("cause_code",))
    return _cause_of(row)


async def define_topic(topic: Topic, *, by: Actor, now: datetime) -> Topic:
    """Define a topic, or change the one of this code; `version` is the one that was looked at.

    0 stands for one that is not there yet. Refused: InvalidInput, DefinitionChanged.
    """
    _check_names(topic)

    async def work() -> Topic:
        row = await _locked("feedback_topic", topic.code)
        before = None if row is None else _topic_of(row)
        _check_version(before, topic.version)
        await execute(
            "INSERT INTO feedback_topic (code, name_zh, name_en, active, version)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (code) DO UPDATE SET name_zh = $2,"
            " name_en = $3, active = $4, version = $5",
            *(topic.code, topic.name_zh, topic.name_en, topic.active, topic.version + 1),
        )
        await _told("feedback_topic", topic.code, before, topic, by=by, now=now)
        return await _topic(topic.code)

    return await transaction(work)


async def define_cause(cause: Cause, *, by: Actor, now: datetime) -> Cause:
    """Define a cause, or change the one of this code, as `define_topic`; TopicUnknown, too."""
    _check_names(cause)

    async def work() -> Cause:
        row = await _locked("feedback_cause", cause.code)
        before = None if row is None else _cause_of(row)
        _check_version(before, cause.version)
        if cause.topic is not None:
            await find_topic(cause.topic)
        await execute(
            "INSERT INTO feedback_cause (code, topic, name_zh, name_en, active, version)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (code) DO UPDATE SET topic = $2,"
            " name_zh = $3, name_en = $4, active = $5, version = $6",
            *(cause.code, cause.topic, cause.name_zh, cause.name_en),
            *(cause.active, cause.version + 1),
        )
        await _told("feedback_cause", cause.code, before, cause, by=by, now=now)
        [made] = [one for one in await causes(all_of_them=True) if one.code == cause.code]
        return made

    return await transaction(work)


async def _topic(code: str) -> Topic:
    [made] = [one for one in await topics(all_of_them=True) if one.code == code]
    return made


async def _locked(table: Literal["feedback_topic", "feedback_cause"], code: str) -> Row | None:
    return await fetch_one(f"SELECT * FROM {table} WHERE code = $1 FOR NO KEY UPDATE", code)


def _check_names(defined: Topic | Cause) -> None:
    clean_code(defined.code, field=("code",), characters_max=CODE_CHARACTERS_MAX)
    for name in ("name_zh", "name_en"):
        clean_text(
            getattr(defined, name),
            field=("name", name[-2:]),
            characters_min=1,
            characters_max=NAME_CHARACTERS_MAX,
        )


def _check_version(before: Topic | Cause | None, seen: int) -> None:
    current = 0 if before is None else before.version
    if current != seen:
        raise DefinitionChanged(field=("version",), version=current)


async def _told(
    kind: str,
    code: str,
    before: Topic | Cause | None,
    after: Topic | Cause,
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Everybody reads the names, so every answer that shows them is another one now."""
    await announce([Event(kind="FeedbackDefined", member_id=None, facts={"code": code})], now=now)
    audit.record(
        by,
        f"{kind}.define",
        target=Target(kind=kind, id=code),
        before=None if before is None else _facts(before),
        after=_facts(after),
        now=now,
    )


def _facts(one: Topic | Cause) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__ if name != "version"}


def _topic_of(row: Row) -> Topic:
    return Topic(**{name: row[name] for name in Topic.__slots__})


def _cause_of(row: Row) -> Cause:
    return Cause(**{name: row[name] for name in Cause.__slots__})
