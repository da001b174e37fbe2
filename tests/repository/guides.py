"""The documents that people read, and what in them can be checked: code, links, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from api.settings import Settings
from tests.repository.tree import ROOT

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_NOT_IN_A_SLUG = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Guide:
    """One document. `name` is its path from the root."""

    name: str
    text: str

    def blocks(self, *languages: str) -> list[str]:
        """The fenced blocks of these languages, in order; of all languages where none is named."""
        return [
            body
            for _, language, body in _FENCED.findall(self.text)
            if not languages or language in languages
        ]

    def inline(self) -> list[str]:
        """What stands in single backticks outside of fenced blocks."""
        return _INLINE.findall(_FENCED.sub("", self.text))

    def code(self) -> list[str]:
        """Every piece of code, lines that end in a backslash joined."""
        return [piece.replace("\\\n", " ") for piece in (*self.blocks(), *self.inline())]

    def links(self) -> list[str]:
        """The targets of links that stay in the repository."""
        found = _LINK.findall(_FENCED.sub("", self.text))
        return [target for target in found if "://" not in target]

    def anchors(self) -> set[str]:
        """The anchors of the headings, as the common hosts of Markdown make them."""
        headings = _HEADING.findall(_FENCED.sub("", self.text))
        return {
            _NOT_IN_A_SLUG.sub("", heading.lower().strip()).replace(" ", "-")
            for heading in headings
        }


def read_guides(root: Path = ROOT) -> list[Guide]:
    """README, CHANGELOG and everything in docs/, decisions included."""
    paths = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").rglob("*.md"))]
    return [Guide(name=str(path.relative_to(root)), text=path.read_text()) for path in paths]


def broken_links(guide: Guide, root: Path = ROOT) -> Iterator[str]:
    """Links that lead to no file, or to no heading of a Markdown file."""
    for target in guide.links():
        path, _, anchor = target.partition("#")
        file = (root / guide.name).parent / path if path else root / guide.name
        if not file.exists():
            yield f"{guide.name}: {target}: no such file"
        elif anchor and anchor not in Guide(name=path, text=file.read_text()).anchors():
            yield f"{guide.name}: {target}: no such heading"


def make_targets(guide: Guide) -> set[str]:
    """The targets of `make` that its code names."""
    pattern = re.compile(r"(?:^|[\s`])make(?: [A-Z_]+=\S+)* ([a-z]+)")
    return {target for piece in guide.code() for target in pattern.findall(piece)}


def commands(guide: Guide) -> Iterator[tuple[str, set[str]]]:
    """Each command of `python -m api.cli` that its code names, with its options."""
    for piece in guide.code():
        for line in piece.splitlines():
            for name, rest in re.findall(r"-m api\.cli ([a-z][a-z-]*)([^`|]*)", line):
                yield name, set(re.findall(r"(?<!\S)--[a-z-]+", rest))


def variables(guide: Guide) -> set[str]:
    """The environment variables that its code names: ours by their prefix, and URLs and ports."""
    pattern = re.compile(r"\b(?:JIFEN_[A-Z_]+|[A-Z_]*(?:DATABASE_URL|REDIS_URL)|[A-Z_]*PORT)\b")
    return {name for piece in guide.code() for name in pattern.findall(piece)}


def settings_with_defaults() -> dict[str, object]:
    """Each setting by its environment variable, with its default."""
    found: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            for inner, one in type(field.default).model_fields.items():
                found[f"JIFEN_{name}__{inner}".upper()] = one.default
        else:
            found[name.upper() if field.validation_alias else f"JIFEN_{name.upper()}"] = (
                field.default
            )
    return found
