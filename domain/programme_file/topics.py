"""What feedback may be about, and what it comes from, as a programme's file says it."""

from __future__ import annotations

from typing import Any

from domain.feedback import Cause, Topic, cause_flaws, topic_flaws
from domain.programme_file.fields import FieldsReader


def topic_document(topic: Topic) -> dict[str, Any]:
    """The topic as plain values, without its version."""
    return _said({"code": topic.code}, topic)


def cause_document(cause: Cause) -> dict[str, Any]:
    """The cause as plain values, without its version; without a topic it is of any."""
    of_topic = {} if cause.topic is None else {"topic": cause.topic}
    return _said({"code": cause.code, **of_topic}, cause)


def read_topic(fields: FieldsReader) -> Topic:
    """A topic of a file; what is wrong is noted."""
    topic = Topic(
        code=fields.text("code"),
        name_zh=fields.text("name_zh"),
        name_en=fields.text("name_en"),
        active=not fields.flag("retired"),
    )
    fields.note_flaws(topic_flaws(topic))
    fields.end()
    return topic


def read_cause(fields: FieldsReader) -> Cause:
    """A cause of a file; what is wrong is noted."""
    cause = Cause(
        code=fields.text("code"),
        topic=fields.text_or_none("topic"),
        name_zh=fields.text("name_zh"),
        name_en=fields.text("name_en"),
        active=not fields.flag("retired"),
    )
    fields.note_flaws(cause_flaws(cause))
    fields.end()
    return cause


def _said(first: dict[str, Any], one: Topic | Cause) -> dict[str, Any]:
    retired = {} if one.active else {"retired": True}
    return {**first, "name_zh": one.name_zh, "name_en": one.name_en, **retired}
