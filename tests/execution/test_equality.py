"""Plans and graphql-core alone: the same answer to every query, whatever goes wrong in it."""

from __future__ import annotations

import gc
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis_graphql import mutations, queries

from api.execution.executor import PlannedExecutor
from tests.execution.comparing import Stock, Told, executed, planned, told
from tests.execution.generating import LEAVES, variations
from tests.execution.varied import Varied
from tests.execution.wild import World, wild_schema
from tests.fuzz.generated import examples

pytestmark = [
    pytest.mark.soak,
    # graphql-core has made coroutines that it does not come to await, with plans and without.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
]

FULL, SHORT = 10_000, 200

DEPTH_MAX = 6
"""In lists of lists of lists an answer would have millions of objects."""
FAULTS = (0.0, 0.01, 0.05, 0.3)
"""How often a value is not what it should be."""

Tally = Callable[[str, int, int], None]


def depth(text: str) -> int:
    """How deep selections stand in each other."""
    most = open_ = 0
    for one in text:
        open_ += (one == "{") - (one == "}")
        most = max(most, open_)
    return most


async def both(
    one: Varied, number: int, *, by: type[PlannedExecutor], seed: int, faults: float
) -> tuple[Told, Told]:
    """What graphql-core tells of an execution, and what plans do, in the same world."""
    answers = []
    for executor in (Stock, by):
        world = World(seed, faults)
        result = await executed(
            wild_schema(), one.document, by=executor, variables=one.values[number], context=world
        )
        answers.append(told(result, world.log))
        world.close()
    return answers[0], answers[1]


async def test_whatever_fails_the_answers_are_the_same(full_form: bool, tally: Tally) -> None:
    count = FULL if full_form else SHORT
    sdl, dice, found = wild_schema().as_str(), random.Random(20_261_124), Counter[str]()
    texts = examples(
        queries(sdl, custom_scalars=LEAVES) | mutations(sdl, custom_scalars=LEAVES), count
    )
    by = planned()
    for one in variations(wild_schema()._schema, texts, dice):
        if depth(one.text) > DEPTH_MAX:
            continue
        for number in range(2):
            seed, faults = dice.randrange(10**9), dice.choice(FAULTS)
            stock, plan = await both(one, number, by=by, seed=seed, faults=faults)
            assert plan == stock, (one.text, one.values[number], seed, faults)
            found["compared"] += 1
            found["with errors"] += bool(stock.errors)
            found["with data"] += len(stock.data) > 20
        found["documents"] += 1
        found["with variables"] += bool(one.values[0])
    gc.collect()
    tally("documents over a schema that fails", found["documents"], count // 2)
    tally("of these with variables", found["with variables"], count // 4)
    tally("answers compared", found["compared"], count)
    tally("of these with errors", found["with errors"], count // 6)
    tally("of these with data", found["with data"], count // 2)
