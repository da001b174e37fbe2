"""Topics of feedback and causes of what went wrong: data of the programme, which staff define."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from domain import audit
from domain.audit import Actor, Target
from domain.errors import (
    CauseUnknown,
    DefinitionChanged,
    Flaws,
    InvalidInput,
    TopicUnknown,
)
from domain.outbox import Event, announce
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_code, clean_text

CODE_CHARACTERS_MAX: Final = 64
NAME_CHARACTERS_MAX: Final = 100
CODES_MAX: Final = 200
"""So many topics, and so many causes, there may be; more than people can choose among."""

_Table = Literal["feedback_topic", "feedback_cause"]


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


def topic_flaws(topic: Topic) -> Sequence[InvalidInput]:
    """Every rule that the topic breaks by itself, in the order in which they are looked at."""
    return _flaws(topic).found


def cause_flaws(cause: Cause) -> Sequence[InvalidInput]:
    """Every rule that the cause breaks by itself; whether its topic is there is another matter."""
    return _flaws(cause).found


async def define_topic(topic: Topic, *, by: Actor, now: datetime) -> Topic:
    """Define a topic, or change the one of this code; `version` is the one that was looked at.

    0 stands for one that is not there yet. Refused: InvalidInput, DefinitionChanged.
    """
    _flaws(topic).refuse_first()

    async def work() -> Topic:
        row = await _locked("feedback_topic", topic.code)
        before = None if row is None else _topic_of(row)
        await _check_version("feedback_topic", before, topic.version)
        await _write("feedback_topic", topic)
        await _told("feedback_topic", topic.code, before, topic, by=by, now=now)
        return replace(topic, version=topic.version + 1)

    return await transaction(work)


async def define_cause(cause: Cause, *, by: Actor, now: datetime) -> Cause:
    """Define a cause, or change the one of this code, as `define_topic`; TopicUnknown, too.

    Its topic may be one that is offered no more: tickets that were filed with it are yet resolved.
    """
    _flaws(cause).refuse_first()

    async def work() -> Cause:
        row = await _locked("feedback_cause", cause.code)
        before = None if row is None else _cause_of(row)
        await _check_version("feedback_cause", before, cause.version)
        if cause.topic is not None and await _locked("feedback_topic", cause.topic) is None:
            raise TopicUnknown(field=("topic",))
        await _write("feedback_cause", cause)
        await _told("feedback_cause", cause.code, before, cause, by=by, now=now)
        return replace(cause, version=cause.version + 1)

    return await transaction(work)


async def _locked(table: _Table, code: str) -> Row | None:
    return await fetch_one(f"SELECT * FROM {table} WHERE code = $1 FOR NO KEY UPDATE", code)


async def _write(table: _Table, defined: Topic | Cause) -> None:
    """Write the next version of what is there, which is locked, or the first one.

    Of two who write the first one at once the second is refused its row, runs again, and is told
    that there is another version now.
    """
    values = {**_facts(defined), "version": defined.version + 1}
    marks = [f"${place}" for place in range(1, len(values) + 1)]
    if defined.version == 0:
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(marks)})"
    else:
        sets = ", ".join(f"{name} = {mark}" for name, mark in zip(values, marks, strict=True))
        statement = f"UPDATE {table} SET {sets} WHERE code = {marks[list(values).index('code')]}"
    await execute(statement, *values.values())


def _flaws(defined: Topic | Cause) -> Flaws:
    flaws = Flaws()
    with flaws.noted():
        clean_code(defined.code, field=("code",), characters_max=CODE_CHARACTERS_MAX)
    for name in ("name_zh", "name_en"):
        with flaws.noted():
            clean_text(
                getattr(defined, name),
                field=(name,),
                characters_min=1,
                characters_max=NAME_CHARACTERS_MAX,
            )
    return flaws


async def _check_version(table: _Table, before: Topic | Cause | None, seen: int) -> None:
    current = 0 if before is None else before.version
    if current != seen:
        raise DefinitionChanged(field=("version",), version=current)
    if before is None and len(await fetch_all(f"SELECT code FROM {table}")) >= CODES_MAX:
        raise InvalidInput(field=("code",), rule=f"one of at most {CODES_MAX}")


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
