"""What becomes of a table's rows when one person's record is told, erased, or joined to another.

Every context declares each of its tables that are keyed by a member; `domain.custody` reads the
declarations and does the work, and a test compares them with the database: a table that nobody
declared fails it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Erasing(Enum):
    """What an erasure does with the rows of a member."""

    DELETE = "delete"
    """They go."""

    KEEP = "keep"
    """They stay, under a random id that leads to nobody: nothing in them tells who it was."""


@dataclass(frozen=True, slots=True)
class Blank:
    """The rows stay, and these columns get a value that tells nothing (an SQL expression)."""

    columns: Mapping[str, str]


class Merging(Enum):
    """What happens to the rows of the record that is given up when two are one person's."""

    MOVE = "move"
    """They become the other's; the column `came_with` names the merge, so that it can be undone."""

    STAY = "stay"
    """They stay with the id that is given up, which leads to the other from then on."""

    OWN = "own"
    """The context has a rule of its own: balances, levels, what may be there only once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTable:
    """One table whose rows belong to a member.

    `key` are the columns that, with the member's, make its primary key: the order in which rows are
    told. `told` are the columns that a member's export tells; a table that tells none says in
    `untold` why. `told_if` is a condition in SQL, where not every row is told.
    """

    name: str
    key: tuple[str, ...]
    erasing: Erasing | Blank
    merging: Merging
    told: tuple[str, ...] = ()
    told_if: str = ""
    untold: str = ""
    member_column: str = "member_id"

    def __post_init__(self) -> None:
        assert bool(self.told) != bool(self.untold), f"{self.name}: what is told, or why nothing is"


MemberTables: TypeAlias = tuple[MemberTable, ...]
"""All of one context."""
