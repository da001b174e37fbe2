"""YAML as a tree of texts that know their lines: nothing in it runs, grows or is guessed.

What a text means is decided by who reads the field: `on`, `1.0` and `2026-03-01` are just texts
here. Tags, anchors, aliases and a second document are refused, as are files too large or too deep;
the parser's events are looked at one by one, so that a bad file is given up where it turns bad.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from domain.errors import FileProblem, ProgrammeFileInvalid

BYTES_MAX: Final = 4 * 1024 * 1024
DEPTH_MAX: Final = 8
NODES_MAX: Final = 200_000
_SHOWN_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar. `is_plain` where it stands without quotes: only then may it be null or a number."""

    line: int
    text: str
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in the order of the file; `key_lines` are the lines of its keys."""

    line: int
    entries: Mapping[str, Node]
    key_lines: Mapping[str, int]


Node = Text | Items | Fields


def read_nodes(source: bytes) -> Node:
    """The one document of a file. Refused: ProgrammeFileInvalid, with the line."""
    if len(source) > BYTES_MAX:
        raise _invalid(1, f"at most {BYTES_MAX:,} bytes")
    try:
        text = source.decode()
    except UnicodeDecodeError as wrong:
        line = source.count(b"\n", 0, wrong.start) + 1
        raise _invalid(line, "text in UTF-8") from None
    try:
        return _Reading(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        raise _invalid(mark.line + 1 if mark else 1, f"YAML: {wrong.problem}") from None
    except yaml.reader.ReaderError as wrong:
        line = text.count("\n", 0, wrong.position) + 1
        raise _invalid(line, "no control characters") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML trips over escapes of characters that there are not.
        raise _invalid(1, "YAML that can be read") from None


class _Reading:
    """The events of one file, taken one by one."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._nodes = 0

    def document(self) -> Node:
        """The first document, which is the only one."""
        next(self._events)  # the beginning of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise _invalid(1, "not empty")
        node = self._node(next(self._events), depth=0)
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _invalid(_line(after), "one document only")
        return node

    def _node(self, event: yaml.Event, *, depth: int) -> Node:
        line = _line(event)
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _invalid(line, f"at most {NODES_MAX:,} values")
        if depth > DEPTH_MAX:
            raise _invalid(line, f"at most {DEPTH_MAX} levels of nesting")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _invalid(line, "no anchors and no aliases")
        if event.tag is not None:
            raise _invalid(line, "no tags")
        if isinstance(event, yaml.ScalarEvent):
            return Text(line, _storable(event.value, line), event.style is None)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(line, depth=depth)
        return self._fields(line, depth=depth)

    def _items(self, line: int, *, depth: int) -> Items:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth=depth + 1))
        return Items(line, tuple(items))

    def _fields(self, line: int, *, depth: int) -> Fields:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth=depth + 1)
            if not isinstance(key, Text):
                raise _invalid(key.line, "keys that are texts")
            if key.text in entries:
                raise _invalid(key.line, f"{key.text[:_SHOWN_MAX]!r} once only")
            entries[key.text] = self._node(next(self._events), depth=depth + 1)
            lines[key.text] = key.line
        return Fields(line, entries, lines)


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1


def _storable(text: str, line: int) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _invalid(line, "characters that there are") from None
    return text


def _invalid(line: int, rule: str) -> ProgrammeFileInvalid:
    return ProgrammeFileInvalid(problems=(FileProblem(path="", line=line, rule=rule),))
