"""What fields cost, declared beside them and decided before anything runs.

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items="first", of=("items",)))
    async def recommendations(self, first: First = 10) -> Recommendations | None: ...

An object costs 1, and 1 more for each five further fields that are asked of it. What stands inside
a list costs as often as the list may have items. A field adds what it declares as its own, a
mutation `MUTATION_COST`. An operation costs the sum, at least 1 (see `schema.document_costs`). One
unit stands for at most 60 microseconds of this server's time.

How long a list may be is declared, or follows from its connection; a test holds that each list of
objects in the schema says it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

COST: Final = "cost"
"""The key of a field's cost in its metadata."""

FIELDS_PER_UNIT: Final = 5
INTROSPECTED_PER_UNIT: Final = 8
MUTATION_COST: Final = 10
STATEMENT_COST: Final = 5
"""The own cost of a field that asks the database: about what a statement takes of our time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one field costs beside the object that it gives.

    `own` is added each time the field runs. `items` says how many items there are: a number, or
    the argument to read it from, as a path (`first`, `input.orders`): the length of a list, or a
    number from 1 to 100. It is the length of the field's own list or, when `of` names them by their
    paths below the field, of the lists there. `each` is added for each item.
    """

    own: int = 0
    items: int | str | None = None
    of: tuple[str, ...] = ()
    each: int = 0


READS: Final = Cost(own=STATEMENT_COST)
"""The cost of a field that asks the database."""

CHANGES: Final = Cost(own=MUTATION_COST)
"""The cost of a mutation that says nothing else."""


def object_weight(fields: Iterable[str]) -> int:
    """What an object costs of which these fields are asked, by their names in the answer.

    `__typename` is free: clients ask it of every object by themselves.
    """
    count = sum(name != "__typename" for name in fields)
    return 1 + max(count - 1, 0) // FIELDS_PER_UNIT
