"""Plans between requests: many at once, each with its own context, and those that end early."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from graphql import parse

from tests.execution.cases import Case, answers, thing, world_of
from tests.execution.comparing import Stock, executed, planned, told
from tests.execution.wild import World, wild_schema

QUERY = parse(
    "query($n: Int!, $all: Boolean!) { things(first: $n) { name greeting later(turns: 3) {"
    " title @include(if: $all) greeting } laterChildren { title loaded(key: $n) { key } } } }"
)


def world(number: int) -> World:
    """A world that speaks a language of its own."""
    made = world_of(thing("name"))
    made.language = f"language {number}"
    for source in made.sources:
        source.name = f"name in world {number}"
    return made


async def asked(by: type[Any], number: int) -> Any:
    """What one request is told, each in a world of its own."""
    here = world(number)
    given = {"n": number % 7, "all": number % 2 == 0}
    result = await executed(wild_schema(), QUERY, by=by, variables=given, context=here)
    return told(result, here.log)


async def test_a_hundred_requests_at_once_are_told_each_its_own() -> None:
    expected = [await asked(Stock, number) for number in range(100)]
    by = planned()

    for _ in range(2):
        assert await asyncio.gather(*(asked(by, number) for number in range(100))) == expected
    assert len(by.plans) == 2


# graphql-core has made coroutines that it does not come to await, with plans and without.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("by", [Stock, planned()], ids=["graphql-core alone", "plans"])
async def test_requests_that_are_cancelled_leave_nothing_to_those_after_them(by: Any) -> None:
    expected = [await asked(Stock, number) for number in range(10)]

    for turns in range(12):
        tasks = [asyncio.create_task(_until_cancelled(by, number)) for number in range(10)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert ended[1::2] == expected[1::2]
        for early, whole in zip(ended[::2], expected[::2], strict=True):
            assert isinstance(early, asyncio.CancelledError) or early == whole
    assert [await asked(by, number) for number in range(10)] == expected
    gc.collect()


async def test_what_gave_up_once_is_made_the_next_time() -> None:
    by, document = planned(), "{ thing { name title } }"
    broken, whole = Case(document, has={"title": None}), Case(document)

    assert await answers(broken, by) == await answers(broken, Stock)
    assert await answers(whole, by) == await answers(whole, Stock)
    parsed = parse(document)
    told_of = []
    for case in (whole, broken, whole, broken, whole):
        here = world_of(case)
        told_of.append(told(await executed(wild_schema(), parsed, by=by, context=here), here.log))
    assert told_of[0] == told_of[2] == told_of[4]
    assert told_of[1] == told_of[3] != told_of[0]


async def _until_cancelled(by: type[Any], number: int) -> Any:
    here = world(number)
    given = {"n": number % 7, "all": number % 2 == 0}
    schema, how = wild_schema(), {"variables": given, "context": here}
    result = await _raw(schema, by, how)
    return told(result, here.log)


async def _raw(schema: Any, by: type[Any], how: dict[str, Any]) -> Any:
    result = await executed(schema, QUERY, by=by, **how)
    cause = result.errors[0].original_error if result.errors else None
    if isinstance(cause, asyncio.CancelledError):
        raise cause
    return result
