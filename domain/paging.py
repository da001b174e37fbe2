"""Pages of long lists by keyset: what a use case is asked for and what it answers.

A list is ordered by a key that is unique in it, for example `(seq,)` or `(occurred_at, id)`. A page
is asked for as "so many items after this key", so that the cost of a page does not depend on how
many came before it. Cursors, and the bounds of `first`, are the schema's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeAlias, TypeVar
from uuid import UUID

KeyPart: TypeAlias = int | str | datetime | date | UUID
Key: TypeAlias = tuple[KeyPart, ...]

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`first` items (1 or more) after the item with the key `after`; None begins the list."""

    first: int
    after: Key | None = None

    @property
    def limit(self) -> int:
        """How many rows to fetch: one more than asked for, which tells whether a page follows."""
        return self.first + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[Item_co]):
    """`items` in the order of the list with the key of each, and whether more follow."""

    items: Sequence[Item_co]
    keys: Sequence[Key]
    has_next: bool

    def __post_init__(self) -> None:
        assert len(self.items) == len(self.keys), "every item of a page has its key"


def page_of(rows: Sequence[Item], *, first: int, key: Callable[[Item], Key]) -> Page[Item]:
    """The page of `first` items out of `rows`, which were fetched with `PageRequest.limit`."""
    items = rows[:first]
    return Page(items=items, keys=[key(item) for item in items], has_next=len(rows) > first)
