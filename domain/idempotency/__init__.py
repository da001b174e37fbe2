"""Idempotency: the same key and input give the first answer again, for ever.

A key lives in a scope (who uses it for what). It is stored with a digest of each input field and
with the answer, in the very transaction that has the effect, so a key exists exactly if its effect
does. Two racing transactions with one key: the second meets the unique constraint, is run again by
`storage.transaction`, and then recalls what the first one wrote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson

from domain.errors import IdempotencyConflict
from domain.storage import Row, Table, Write, execute, fetch_all, write_together
from domain.texts import clean_text

T = TypeVar("T")

Digests = Mapping[str, str]

KEY_CHARACTERS_MAX: Final = 128
_KEY_FIELD: Final = ("idempotency_key",)

FORGOTTEN: Final = ""
"""In the place of a digest that is not kept any more: nothing differs from it."""

_KEYS = Table(
    "idempotency",
    scope="text",
    key="text",
    digests="jsonb",
    result="jsonb",
    recorded_at="timestamptz",
)


# Looked up scope by scope, so that the index is used however few keys a plan was made for.
_AMONG: Final = """
    SELECT s.scope,
        (SELECT digests FROM idempotency WHERE scope = s.scope AND key = $1) AS digests,
        (SELECT result FROM idempotency WHERE scope = s.scope AND key = $1) AS result
    FROM ({scopes}) AS s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What is known of a key: the stored answer, and the fields in which the input differs.

    No differing field: a replay. Any: a conflict, which must be refused. `digests` are those of the
    input that was answered.
    """

    result: Any
    digests: Digests
    differing: tuple[str, ...]

    def compared_with(self, given: Digests) -> Recalled:
        """The same answer, compared with another input: a batch may use one key twice."""
        return replace(self, differing=differing(self.digests, given))


def differing(known: Digests, given: Digests) -> tuple[str, ...]:
    """The fields in which the input given differs from the known one, in alphabetical order."""
    names = sorted(known.keys() | given.keys())
    return tuple(name for name in names if known.get(name) not in {FORGOTTEN, given.get(name)})


def checked_key(key: str) -> str:
    """The idempotency key that a client chose, 1 to 128 characters of one line; InvalidInput."""
    return clean_text(key, field=_KEY_FIELD, characters_min=1, characters_max=KEY_CHARACTERS_MAX)


def first_of_each(
    items: Iterable[T], *, key: Callable[[T], str]
) -> tuple[list[T], list[tuple[T, T]]]:
    """The first item of each key of a batch, and each later one together with that first."""
    first: dict[str, T] = {}
    repeats = []
    for item in items:
        original = first.setdefault(key(item), item)
        if original is not item:
            repeats.append((item, original))
    return [*first.values()], repeats


def digests(fields: Mapping[str, object]) -> dict[str, str]:
    """A digest per input field: 32 hex digits of SHA-256 over its canonical JSON."""
    return {
        name: hashlib.sha256(
            orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
        ).hexdigest()[:32]
        for name, value in fields.items()
    }


async def recall(scope: str, inputs: Mapping[str, Digests]) -> dict[str, Recalled]:
    """What is known of the given keys; a key that is not in the answer was never used.

    One statement whatever the number of keys. Call it inside the transaction that will remember,
    after its locks are taken.
    """
    if not inputs:
        return {}
    rows = await fetch_all(
        "SELECT key, digests, result FROM idempotency WHERE scope = $1 AND key = ANY($2::text[])",
        scope,
        list(inputs),
    )
    return {row["key"]: _recalled(row).compared_with(inputs[row["key"]]) for row in rows}


async def recall_answer(
    scope: str, key: str, digests: Digests, *, field: tuple[str, ...] = _KEY_FIELD
) -> Any | None:
    """The answer that the key was given before, or None. IdempotencyConflict for another input.

    `field` is what the input calls its key.
    """
    earlier = (await recall(scope, {key: digests})).get(key)
    if earlier is None:
        return None
    if earlier.differing:
        raise IdempotencyConflict(field=field, key=key, differing=earlier.differing)
    return earlier.result


async def recall_among(
    scopes: str, *values: object, key: str, digests: Digests
) -> dict[str, Recalled]:
    """What is known of one key in each of the scopes that a query gives; one statement.

    The query has one column, `scope`; its `values` are $2 and on.
    """
    rows = await fetch_all(_AMONG.format(scopes=scopes), key, *values)
    return {
        row["scope"]: _recalled(row).compared_with(digests)
        for row in rows
        if row["digests"] is not None
    }


async def remember(
    scope: str, entries: Mapping[str, tuple[Digests, Any]], *, now: datetime
) -> None:
    """Store the digests and the answer of each key; answers are JSON values."""
    await write_together([remembering(scope, entries, now=now)])


async def forget(scopes: Collection[str]) -> None:
    """Forget every key of the scopes: for whoever is erased, and asks nothing again."""
    await execute("DELETE FROM idempotency WHERE scope = ANY($1::text[])", sorted(scopes))


def remembering(scope: str, entries: Mapping[str, tuple[Digests, Any]], *, now: datetime) -> Write:
    """What `remember` writes, for whoever writes it together with the effect."""
    return _KEYS.inserting(
        {
            "scope": scope,
            "key": key,
            "digests": orjson.dumps(dict(input_digests)).decode(),
            "result": orjson.dumps(result).decode(),
            "recorded_at": now,
        }
        for key, (input_digests, result) in entries.items()
    )


def _recalled(row: Row) -> Recalled:
    return Recalled(
        result=orjson.loads(row["result"]), digests=orjson.loads(row["digests"]), differing=()
    )


__all__ = [
    "KEY_CHARACTERS_MAX",
    "Digests",
    "Recalled",
    "checked_key",
    "differing",
    "digests",
    "first_of_each",
    "forget",
    "recall",
    "recall_among",
    "recall_answer",
    "remember",
    "remembering",
]
