"""Publishing what members are asked to agree to, by the operator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from domain import members
from domain.audit import Target
from tests.api.test_commands import USER, CommandLine, command

__all__ = ["command"]


def test_texts_of_consents_are_published(command: CommandLine, tmp_path: Path) -> None:
    text = {
        "purpose": "marketing",
        "version": "1",
        "title_zh": "营销消息",
        "title_en": "News",
        "body_zh": "。",
        "body_en": "Two\nlines.",
    }
    file = tmp_path / "consents.json"

    def publish(*texts: Mapping[str, str | int], status: int = 0) -> str:
        file.write_bytes(orjson.dumps(texts))
        return command.run("publish-consents", str(file), status=status)

    def current() -> list[tuple[str, str]]:
        return [(one.purpose, one.version) for one in command.ask(members.consent_texts)]

    assert publish(text, text | {"purpose": "terms"}) == "2 of 2 texts are new\n"
    assert publish(text, text | {"version": "2"}) == "1 of 2 texts are new\n"
    assert current() == [("marketing", "2"), ("terms", "1")]
    # Back to the words of before, which somebody may have agreed to.
    assert publish(text) == "1 of 1 texts are new\n"
    assert current() == [("marketing", "1"), ("terms", "1")]
    told = [(entry.actor, entry.action, entry.target) for entry in command.log()]
    assert told == [(USER, "consents.publish", Target(kind="file", id="consents.json"))] * 3
    for wrong, said in (
        (text | {"body_en": "Other words."}, "a version that was published has other words"),
        (text | {"purpose": "spam mail"}, "ASCII letters, digits and _ . : - only"),
        (text | {"title_en": ""}, "at least 1 characters"),
        (text | {"version": 1}, "consents.json: 0.version: Input should be a valid string"),
        ({"purpose": "x"}, "consents.json: 0.version: Field required"),
    ):
        assert said in publish(wrong, status=1)
    assert current() == [("marketing", "1"), ("terms", "1")]
