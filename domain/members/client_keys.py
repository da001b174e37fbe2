"""Keys that clients choose: each is answered once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from domain import idempotency
from domain.errors import IdempotencyConflict
from domain.idempotency import Digests
from domain.texts import clean_text

KEY_CHARACTERS_MAX: Final = 128


def checked_key(key: str) -> str:
    """The idempotency key that a client chose, 1 to 128 characters of one line; InvalidInput."""
    return clean_text(
        key, field=("idempotency_key",), characters_min=1, characters_max=KEY_CHARACTERS_MAX
    )


async def recall(scope: str, key: str, digests: Digests) -> Any | None:
    """The answer that the key was given before, or None. IdempotencyConflict for another input."""
    earlier = (await idempotency.recall(scope, {key: digests})).get(key)
    if earlier is None:
        return None
    if earlier.differing:
        raise IdempotencyConflict(field=("idempotency_key",), key=key, differing=earlier.differing)
    return earlier.result


async def remember(
    scope: str, key: str, *, digests: Digests, answer: Mapping[str, object], now: datetime
) -> None:
    """Keep the answer, a JSON value, for whoever uses the key again."""
    await idempotency.remember(scope, {key: (digests, answer)}, now=now)
