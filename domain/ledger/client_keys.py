"""Keys that clients choose (`idempotency`), as the ledger has them, and what they name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from domain import idempotency
from domain.idempotency import Digests
from domain.ledger.commands import Key
from domain.storage import Write, write_together

REFERENCE_CHARACTERS_MAX: Final = 128


def child_id(kind: str, *of: str) -> UUID:
    """The id of what a key makes, the same whenever the key is used: a UUIDv5 of its words."""
    words = orjson.dumps([kind, *of]).decode()
    return uuid5(_JIFEN, words)


async def recall(key: Key, digests: Digests) -> Any | None:
    """The answer that the key was given before, or None. IdempotencyConflict for another input."""
    return await idempotency.recall_answer(key.scope, key.key, digests)


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
