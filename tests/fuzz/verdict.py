"""What is wrong with an answer: a server's error, or words that only its insides know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import orjson

LEAKS: Final = re.compile(
    "|".join(
        (
            r"Traceback",
            r"\bFile \"",
            r"\.py\b",
            r"\b(Value|Type|Key|Index|Attribute|Assertion|Runtime|Overflow|Recursion)Error\b",
            r"<class '",
            r"\bat 0x[0-9a-f]",
            r"\bNoneType\b",
            r"\bobject has no attribute\b",
            r"\bpositional argument",
            r"\b(literal|string conversion)\b.*\bbase 10\b",
            r"integer string conversion",
            r"\bset_int_max_str_digits\b",
            r"\b(sqlite|asyncpg|aiosqlite|tortoise|strawberry|graphql_core|orjson|pydantic)\b",
            r"\bSELECT\b.*\bFROM\b",
            r"\bINSERT INTO\b",
            r"\bconstraint\b",
            r"\bsyntax error at or near\b",
            r"codec can't (de|en)code",
            r"surrogates not allowed",
            r"out of range for type",
        )
    ),
    re.IGNORECASE,
)
"""Words of Python, of its libraries and of databases. What a client sent may come back in answers,
so requests of these tests use none of them."""

MASKED: Final = "INTERNAL"
"""The code of a fault of ours, which is masked but still a fault."""


def faults(status: int, body: bytes, *, what: str) -> Iterator[str]:
    """Everything that is wrong with the answer to one request, which is told by `what`."""
    text = body.decode(errors="replace")
    if status >= 500:
        yield f"{what}: {status} {text[:300]}"
    for leak in LEAKS.finditer(text):
        yield f"{what}: {leak.group()!r} in {text[max(0, leak.start() - 150) : leak.end() + 150]}"
    if MASKED in text:
        yield from (f"{what}: {error}" for error in _internal(body))


def _internal(body: bytes) -> Iterator[str]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    errors = answer.get("errors") if isinstance(answer, dict) else None
    for error in errors or ():
        if error.get("extensions", {}).get("code") == MASKED:
            yield f"a masked fault: {error}"
