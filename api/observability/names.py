"""Names of operations that may become labels: a bounded set, however inventive clients are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ANONYMOUS: Final = "anonymous"
INVALID: Final = "invalid"
OTHER: Final = "other"
LENGTH_MAX: Final = 64


class OperationNames:
    """The names in use: the reserved ones, and of all others the first `others_max`.

    Names are those of documents that passed validation; one of more than 64 characters never
    counts.
    """

    def __init__(self, others_max: int = 200, *, reserved: Iterable[str] = ()) -> None:
        self._others_max = others_max
        self._reserved = frozenset(reserved)
        self._others: set[str] = set()

    def label(self, name: str | None) -> str:
        """The name, or what stands for it: `anonymous` for none, `other` beyond the bound."""
        if name is None:
            return ANONYMOUS
        if name in self._reserved or name in self._others:
            return name
        if len(name) > LENGTH_MAX or len(self._others) >= self._others_max:
            return OTHER
        self._others.add(name)
        return name
