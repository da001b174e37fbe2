"""Reading values out of a file's nodes: each with its path and line, and every problem noted.

    fields = FieldsReader(node, at=Place("levels[2]", line), look=look)
    code = fields.text("code")
    threshold = fields.whole("threshold", default=0)
    fields.end()
    look.refuse_any()

A value that is wrong is noted and read as something harmless, so that one look finds the problems
of the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from domain.errors import FileProblem, InvalidInput, ProgrammeFileInvalid
from domain.programme_file.nodes import Fields, Items, Node, Text

PROBLEMS_MAX: Final = 20
"""How many problems are told at once."""

FILED: Final = {
    "amount": "amount_fen",
    "amount_min": "amount_min_fen",
    "amount_off": "value",
    "discount_max": "discount_max_fen",
    "permille_off": "value",
    "product_code": "product",
}
"""What a file calls the fields that inputs of the API call otherwise."""

_SHOWN_MAX: Final = 40
_NOTHING: Final[Mapping[str, Sequence[str]]] = {}
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NULLS: Final = frozenset({"", "null", "~"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: `levels[2].threshold`, and its line from 1."""

    path: str
    line: int

    def inside(self, name: str, line: int) -> Place:
        """The place of a field of what stands here."""
        return Place(f"{self.path}.{name}" if self.path else name, line)


@dataclass(slots=True)
class Look:
    """One look at a file: what stands where, by its path, and what is wrong."""

    places: dict[str, Place] = field(default_factory=dict)
    problems: list[FileProblem] = field(default_factory=list)

    _wrong: set[str] = field(default_factory=set)

    def note(self, place: Place, rule: str) -> None:
        """Something is wrong at this place; `rule` says what should be. Told once."""
        if not self.is_wrong(place.path):
            self._wrong.add(place.path)
            self.problems.append(FileProblem(path=place.path, line=place.line, rule=rule))

    def is_wrong(self, path: str) -> bool:
        """Whether something is wrong there."""
        return path in self._wrong

    def refuse_any(self) -> None:
        """Refuse ProgrammeFileInvalid where anything was noted: the first by line, so many."""
        if self.problems:
            first = sorted(self.problems, key=lambda one: one.line)[:PROBLEMS_MAX]
            raise ProgrammeFileInvalid(problems=tuple(first))


def line_of(path: str, places: Mapping[str, Place]) -> int:
    """The line of what stands at the path, or of the nearest thing around it."""
    while path and path not in places:
        path = path.rpartition(".")[0]
    return places[path].line


class FieldsReader:
    """The fields of one mapping. What is asked for is read once; `end` complains of the rest."""

    def __init__(self, node: Node, *, at: Place, look: Look) -> None:
        self.place = at
        self._look = look
        self._left = dict(node.entries) if isinstance(node, Fields) else {}
        self._lines = node.key_lines if isinstance(node, Fields) else {}
        self._is_read = isinstance(node, Fields)
        look.places[at.path] = at
        for name in self._lines:
            place = self.place_of(name)
            look.places[place.path] = place
        if not self._is_read:
            look.note(at, f"fields, each as `name: value`, not {what_is(node)}")

    def place_of(self, name: str) -> Place:
        """Where the field stands, or where it should."""
        return self.place.inside(name, self._lines.get(name, self.place.line))

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        node = self._left.get(name)
        return node is not None and not _is_null(node)

    def text(self, name: str, *, default: str | None = None) -> str:
        """A text, quoted or not; needed where it has no default."""
        return self.text_or_none(name, needed=default is None) or default or ""

    def text_or_none(self, name: str, *, needed: bool = False) -> str | None:
        """A text, or None where it is left out or null."""
        node = self._take(name, needed=needed)
        if node is None:
            return None
        if not isinstance(node, Text):
            self._look.note(self.place_of(name), f"a text, not {what_is(node)}")
            return None
        return node.text

    def whole(self, name: str, *, default: int | None = None) -> int:
        """A whole number; needed where it has no default."""
        found = self.whole_or_none(name, needed=default is None)
        return (default or 0) if found is None else found

    def whole_or_none(self, name: str, *, needed: bool = False) -> int | None:
        """A whole number, or None where it is left out or null."""
        node = self._take(name, needed=needed)
        if node is None:
            return None
        if not isinstance(node, Text) or not node.is_plain or not _WHOLE.fullmatch(node.text):
            self._look.note(self.place_of(name), "a whole number")
            return None
        return int(node.text)

    def choice(self, name: str, among: Collection[str], *, default: str | None = None) -> str:
        """One of these words; needed where it has no default."""
        found = self.text_or_none(name, needed=default is None)
        if found is not None and found not in among:
            self._look.note(self.place_of(name), f"one of {', '.join(among)}")
            found = None
        return found if found is not None else default or next(iter(among))

    def flag(self, name: str) -> bool:
        """`true` or `false`, which it is where it is left out."""
        return self.choice(name, ("true", "false"), default="false") == "true"

    def moment_or_none(self, name: str) -> datetime | None:
        """A moment with its offset (`2026-03-01T08:00:00+08:00`), or None where it is left out."""
        found = self.text_or_none(name)
        if found is None:
            return None
        try:
            moment = datetime.fromisoformat(found)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self._look.note(self.place_of(name), "a moment with its offset, 2026-03-01T08:00:00Z")
        return None

    def numbers(self, name: str) -> dict[str, int]:
        """Whole numbers by words of the merchant's; empty where they are left out."""
        node = self._take(name, needed=False)
        if node is None:
            return {}
        inner = FieldsReader(node, at=self.place_of(name), look=self._look)
        return {key: inner.whole(key) for key in list(inner._left)}

    def texts(self, name: str) -> dict[str, str]:
        """Texts by words of the merchant's; empty where they are left out."""
        inner = self.within(name)
        return {} if inner is None else {key: inner.text(key) for key in list(inner._left)}

    def within(self, name: str) -> FieldsReader | None:
        """The fields of a field, or None where it is left out or null."""
        node = self._take(name, needed=False)
        if node is None:
            return None
        return FieldsReader(node, at=self.place_of(name), look=self._look)

    def each(self, name: str, *, at_most: int) -> Iterator[FieldsReader]:
        """The fields of each item of a list; of none where it is left out."""
        node = self._take(name, needed=False)
        if node is None:
            return
        place = self.place_of(name)
        if not isinstance(node, Items):
            self._look.note(place, f"a list, each item after a dash, not {what_is(node)}")
            return
        if len(node.items) > at_most:
            self._look.note(place, f"at most {at_most:,} items")
            return
        for number, item in enumerate(node.items):
            at = Place(f"{place.path}[{number}]", item.line)
            yield FieldsReader(item, at=at, look=self._look)

    def note(self, name: str, rule: str) -> None:
        """The field, or one within it (`levels[2].code`), is wrong, as its reader knows."""
        path = self.place_of(name).path
        self._look.note(Place(path, line_of(path, self._look.places)), rule)

    def note_flaws(
        self, flaws: Iterable[InvalidInput], *, go_by: Mapping[str, Sequence[str]] = _NOTHING
    ) -> None:
        """Note what breaks the domain's rules; nothing of a mapping that could not be read.

        Some fields go by others, and are not looked at where one of those is wrong already.
        """
        for flaw in flaws if self._is_read else ():
            name = ".".join(FILED.get(part, part) for part in flaw.field or ())
            if not any(self.is_wrong(other) for other in go_by.get(name, ())):
                self.note(name, flaw.rule)

    def is_wrong(self, name: str) -> bool:
        """Whether something is wrong with the field."""
        return self._look.is_wrong(self.place_of(name).path)

    def end(self) -> None:
        """Everything was read: what is left is no field that there is."""
        for name in self._left:
            shown = name if name.isprintable() else repr(name)
            place = self.place.inside(shown[:_SHOWN_MAX], self._lines[name])
            self._look.note(place, "no such field")

    def _take(self, name: str, *, needed: bool) -> Node | None:
        node = self._left.pop(name, None)
        if node is not None and not _is_null(node):
            return node
        if needed and self._is_read:
            self._look.note(self.place_of(name), "needed")
        return None


def what_is(node: Node) -> str:
    """What stands there, in words."""
    match node:
        case Items():
            return "a list"
        case Fields():
            return "a mapping of fields"
        case Text():
            return "a single value"


def _is_null(node: Node) -> bool:
    return isinstance(node, Text) and node.is_plain and node.text in _NULLS
