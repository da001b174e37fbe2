"""A Redis inside this process, for who has set none up: fakeredis, loaded when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import asyncio as aioredis

_NOT_NEEDED: Final = "numpy"
"""fakeredis loads it where it is installed, for sets of vectors; we keep none."""


def embedded_redis() -> aioredis.Redis:
    """A client of a new, empty Redis."""
    with _left_out(_NOT_NEEDED):
        import fakeredis

    memory: aioredis.Redis = fakeredis.FakeAsyncRedis()
    return memory


@contextmanager
def _left_out(name: str) -> Iterator[None]:
    """During the block the module is taken to be missing, unless something loaded it before."""
    if name in sys.modules:
        yield
        return
    # This is how Python is told that a module is not there.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
