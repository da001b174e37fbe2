"""A document of plain values as YAML: the same text each time, whatever library reads it.

Texts stand without quotes where nobody can take them for anything else, and else as JSON writes
them, with what is not seen escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_HEAD: Final = (
    "# The settings of a programme: `export-programme` writes them, `import-programme` reads them.",
    "# What is new is added, what differs is changed; what is left out stays as it is.",
    "# The stock is for rewards that are new: of one that exists, what is left stays as it is.",
)

# A letter first; no colon and no hash, which mean something beside a blank.
_PLAIN: Final = re.compile(r"[^\W\d_][\w./-]*(?: [\w./-]+)*")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def yaml_text(document: Mapping[str, Any]) -> str:
    """The document: texts, whole numbers, `True`, mappings, lists of mappings.

    Nothing is empty but a mapping in a list: a promise of service may say nothing.
    """
    return "\n".join([*_HEAD, *_fields(document, indent="")]) + "\n"


def _fields(document: Mapping[str, Any], *, indent: str) -> Iterator[str]:
    for name, value in document.items():
        key = f"{indent}{_scalar(name)}:"
        if isinstance(value, dict):
            yield key
            yield from _fields(value, indent=f"{indent}  ")
        elif isinstance(value, list):
            yield key
            yield from _items(value, indent=f"{indent}  ")
        else:
            yield f"{key} {_scalar(value)}"


def _items(things: list[Mapping[str, Any]], *, indent: str) -> Iterator[str]:
    for thing in things:
        first, *rest = [*_fields(thing, indent=f"{indent}  ")] or ["{}"]
        yield f"{indent}- {first.lstrip()}"
        yield from rest


def _scalar(value: str | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.isprintable() and value.lower() not in _WORDS:
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable():
        return one
    return f"\\u{ord(one):04X}" if ord(one) < 0x10000 else f"\\U{ord(one):08X}"
