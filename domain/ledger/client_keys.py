"""Keys that clients choose: each is answered once, and names what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from domain import idempotency
from domain.errors import IdempotencyConflict
from domain.idempotency import Digests
from domain.ledger.commands import Key
from domain.storage import Write, write_together
from domain.texts import clean_text

KEY_CHARACTERS_MAX: Final = 128
REFERENCE_CHARACTERS_MAX: Final = 128


def checked_key(key: str) -> str:
    """The idempotency key that a client chose, 1 to 128 characters of one line; InvalidInput."""
    return clean_text(
        key,
        field=("idempotency_key",),
        characters_min=1,
        characters_max=KEY_CHARACTERS_MAX,
    )


def child_id(kind: str, *of: str) -> UUID:
    """The id of what a key makes, the same whenever the key is used: a UUIDv5 of its words."""
    words = orjson.dumps([kind, *of]).decode()
    return uuid5(_JIFEN, words)


async def recall(key: Key, digests: Digests) -> Any | None:
    """The answer that the key was given before, or None. IdempotencyConflict for another input."""
    earlier = (await idempotency.recall(key.scope, {key.key: digests})).get(key.key)
    if earlier is None:
        return None
    if earlier.differing:
        raise IdempotencyConflict(
            field=("idempotency_key",), key=key.key, differing=earlier.differing
        )
    return earlier.result


async def remember(
    key: Key, digests: Digests, answer: Mapping[str, object], *, now: datetime
) -> None:
    """Keep the answer, a JSON value, for whoever uses the key again."""
    await write_together([remembering(key, digests, answer, now=now)])


def remembering(
    key: Key, digests: Digests, answer: Mapping[str, object], *, now: datetime
) -> Write:
    """What `remember` writes, for whoever writes it together with the effect."""
    return idempotency.remembering(key.scope, {key.key: (digests, answer)}, now=now)


_JIFEN: Final = uuid5(NAMESPACE_URL, "https://jifen.example/ledger")
