"""When there are plans, for how long, and where there are none."""

from __future__ import annotations

import gc
import inspect
from typing import Any

import pytest
from graphql import AbortController, ExecutionResult, MiddlewareManager, parse
from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Stock

from api.execution import executor as module
from api.execution.executor import PlannedExecutor, planned_execution
from api.execution.plans import CHOICES_MAX, PLAN_FIELDS_MAX, Plans
from api.observability.metrics import PLANNED_OPERATIONS, PLANNED_VALUES
from schema.documents import DocumentLimits
from schema.root import build_schema
from tests.execution.cases import CASES, world_of
from tests.execution.comparing import executed
from tests.execution.wild import wild_schema

QUERY = "query Q($yes: Boolean = true) { thing { name title @include(if: $yes) later { key } } }"


def counted() -> dict[str, float]:
    """The metrics of execution."""
    return {
        sample.labels.get("how") or sample.labels["outcome"]: sample.value
        for metric in (PLANNED_OPERATIONS, PLANNED_VALUES)
        for sample in next(iter(metric.collect())).samples
    }


async def once(by: type[Any], document: Any, **how: Any) -> dict[str, float]:
    """What the metrics grow by when the document is executed once."""
    before = counted()
    world = world_of(CASES["fields stand in the order of the query"])
    result = await executed(wild_schema(), document, by=by, context=world, **how)
    assert isinstance(result, ExecutionResult)
    assert result.errors is None
    after = counted()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    return {name: count for name, count in grown.items() if count}


async def test_an_operation_is_planned_when_it_is_executed_for_the_third_time() -> None:
    by, document = planned_execution(Plans(fields_max=1_000)), parse(QUERY)

    assert [await once(by, document) for _ in range(4)] == [
        {"unplanned": 1},
        {"unplanned": 1},
        {"planned": 1, "made": 2},
        {"planned": 1, "made": 2},
    ]
    assert await once(by, document, variables={"yes": False}) == {"unplanned": 1}
    assert len(by.plans) == 1


async def test_a_known_operation_is_planned_at_once_and_makes_room_for_none() -> None:
    plans = Plans(fields_max=1, is_known=lambda _: True)
    by = planned_execution(plans)
    documents = [parse(QUERY), parse(QUERY)]

    for document in documents:
        assert await once(by, document) == {"planned": 1, "made": 2}
    assert (len(plans), plans.fields) == (2, 0)


async def test_others_make_room_for_those_that_are_used() -> None:
    first, documents = Plans(fields_max=10**6, uses_before=0), [parse(QUERY) for _ in range(5)]
    await once(planned_execution(first), documents[0])
    plans = Plans(fields_max=2 * first.fields, uses_before=0)
    by = planned_execution(plans)

    for document in documents:
        await once(by, document)
        await once(by, documents[0])

    assert len(plans) == 2
    assert plans.fields == 2 * first.fields
    met = {id(one.operation()): one.plans for one in plans._met.values()}
    assert [bool(met[id(one.definitions[0])]) for one in documents] == [True, *[False] * 3, True]


async def test_a_plan_lives_no_longer_than_its_document() -> None:
    plans = Plans(fields_max=1_000, uses_before=0)
    by, document = planned_execution(plans), parse(QUERY)
    await once(by, document)
    await once(by, document, variables={"yes": False})
    assert len(plans) == 2

    del document
    gc.collect()

    assert (len(plans), plans.fields, plans._met, len(plans._recent)) == (0, 0, {}, 0)


async def test_the_uses_of_too_many_choices_are_counted_anew() -> None:
    plans = Plans(fields_max=1_000)
    names = [f"v{number}" for number in range(7)]
    asked = " ".join(f"a{name}: name @include(if: ${name})" for name in names)
    document = parse(
        f"query({' '.join(f'${one}: Boolean!' for one in names)}) {{thing{{{asked}}}}}"
    )
    by = planned_execution(plans)

    for number in range(2 * CHOICES_MAX):
        chosen = {name: bool(number >> bit & 1) for bit, name in enumerate(names)}
        await once(by, document, variables=chosen)

    (met,) = plans._met.values()
    assert len(met.uses) <= CHOICES_MAX


async def test_what_is_too_large_is_left_to_graphql_core() -> None:
    asked = " ".join(f"a{number}: name" for number in range(PLAN_FIELDS_MAX + 1))
    document = parse(f"{{ thing {{ {asked} }} }}")

    grown = await once(planned_execution(Plans(fields_max=10**6, uses_before=0)), document)
    assert grown == {"unplanned": 1}


def shouting(next_: Any, root: Any, info: Any, **given: Any) -> Any:
    """A middleware, as an extension with `resolve` is one."""
    return next_(root, info, **given)


@pytest.mark.parametrize(
    "how",
    [{"middleware": MiddlewareManager(shouting)}, {"abort_signal": AbortController().signal}],
    ids=["an extension with resolve", "a signal that aborts"],
)
async def test_graphql_core_is_alone_with(how: dict[str, Any]) -> None:
    by = planned_execution(Plans(fields_max=1_000, uses_before=0))
    assert await once(by, parse(QUERY), **how) == {"unplanned": 1}


@pytest.mark.parametrize(
    "query", ["{ thing { ... @defer { name } } }", "{ thing { tags @stream(initialCount: 1) } }"]
)
async def test_graphql_core_is_alone_with_what_is_delivered_later(query: str) -> None:
    plans = Plans(fields_max=1_000, uses_before=0)
    built: Any = planned_execution(plans).build(wild_schema()._schema, parse(query))

    assert plans.plan(built, {}) is None


def test_no_name_of_the_base_is_taken_by_accident() -> None:
    meant = {
        "execute_collected_root_fields",
        "complete_value",
        "execute_fields",
        "build_response",
    }
    own = {name for name in vars(PlannedExecutor) if not name.startswith("__")}
    base = {name for kind in Stock.__mro__ for name in vars(kind)} | {
        *vars(Stock.build(wild_schema()._schema, parse("{ version }")))
    }

    assert own & base == meant
    for name in meant:
        theirs = inspect.signature(getattr(Stock, name)).parameters
        assert [*inspect.signature(getattr(PlannedExecutor, name)).parameters] == [*theirs]
    assert issubclass(PlannedExecutor, Executor)
    assert module._EITHER, "what is awaitable is asked of one of these"


def test_documents_of_the_manifest_are_known() -> None:
    schema = build_schema(DocumentLimits())
    schema.pin("query Kept { __typename }")
    other = schema.prepare("query Other { __typename }")

    (kept,) = schema.prepare("query Kept { __typename }").document.definitions
    assert schema.documents.has_pinned(kept)  # type: ignore[arg-type]  # an operation
    assert not schema.documents.has_pinned(other.document.definitions[0])  # type: ignore[arg-type]  # an operation
