"""The comparison finds the bugs that plans could have, each by its name.

The bugs are planted from outside; the product has no switch for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from graphql.type.scalars import serialize_int

from api.execution import executor, plans, shapes, values, writing
from api.execution.plans import OperationPlan
from api.execution.shapes import Survey
from api.execution.values import PLAIN, leaf_completion, look
from tests.execution.cases import differing
from tests.execution.comparing import planned

pytestmark = pytest.mark.faults

Plant = Callable[[pytest.MonkeyPatch], None]


def others_lose_their_places(plant: pytest.MonkeyPatch) -> None:
    """What waits stands behind what is pure."""
    made = writing.object_function
    plant.setattr(plans, "object_function", lambda _, parts, name: made((), parts, name=name))


def null_is_let_through(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(
        writing, "leaf_completion", lambda leaf, nullable: leaf_completion(leaf, nullable=True)
    )


def errors_are_values(plant: pytest.MonkeyPatch) -> None:
    """An exception is read as if it were an object."""

    def looked(value: Any) -> None:
        if not isinstance(value, Exception):
            look(value)

    plant.setattr(writing, "look", looked)


def nothing_is_awaited(plant: pytest.MonkeyPatch) -> None:
    """A coroutine is taken for the value that it will give."""
    plant.setattr(values, "optimized_is_awaitable", lambda _: False)
    plant.setattr(values, "PLAIN", set(PLAIN))


def variables_are_forgotten(plant: pytest.MonkeyPatch) -> None:
    """What was collected for one request is executed for all."""
    plant.setattr(plans, "_directive_variables", lambda *_: ())


def requests_are_mixed_up(plant: pytest.MonkeyPatch) -> None:
    """Methods are told of the first request that there was."""
    first: list[Any] = []

    class OfTheFirst:
        def __init__(self, context: Any) -> None:
            first.append(context)
            self.context = first[0]

    plant.setattr(executor, "_OnlyContext", OfTheFirst)


def giving_up_is_null(plant: pytest.MonkeyPatch) -> None:
    """A function that cannot make its value says null, and nobody hears of the error."""
    write = writing.value_function

    def quiet(shape: Any, *, name: str) -> Any:
        make = write(shape, name=name)

        def made(source: Any, info: Any) -> Any:
            try:
                return make(source, info)
            except Exception:
                return None

        return made

    plant.setattr(plans, "value_function", quiet)


def anything_is_a_list(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(writing, "listed", lambda value: value)


def numbers_have_no_bounds(plant: pytest.MonkeyPatch) -> None:
    tests = dict(writing.UNCHANGED)
    tests[serialize_int] = "type({0}) is int"
    plant.setattr(writing, "UNCHANGED", tests)


def texts_of_any_class(plant: pytest.MonkeyPatch) -> None:
    """Whatever a scalar is given stands in the answer as it is."""
    plant.setattr(writing, "UNCHANGED", dict.fromkeys(writing.UNCHANGED, "[{0}]"))


def aliases_are_ignored(plant: pytest.MonkeyPatch) -> None:
    find = Survey.part

    def part(self: Survey, parent: Any, key: str, details: Any) -> Any:
        return find(self, parent, details[0].node.name.value, details)

    plant.setattr(Survey, "part", part)


def only_the_first_selection_counts(plant: pytest.MonkeyPatch) -> None:
    """Fields of one key are not merged."""
    make = OperationPlan.plan_value

    def planned_value(self: OperationPlan, type_: Any, details: Any, collect: Any) -> Any:
        return make(self, type_, details, lambda of, found: collect(of, found[:1]))

    plant.setattr(OperationPlan, "plan_value", planned_value)


def order_is_ignored(plant: pytest.MonkeyPatch) -> None:
    """What is read is read before a resolver beside it changes it."""
    plant.setattr(shapes, "_is_harmless", lambda _: True)


BUGS: Mapping[str, Plant] = {
    one.__name__.replace("_", " "): one
    for one in (
        others_lose_their_places,
        null_is_let_through,
        errors_are_values,
        nothing_is_awaited,
        variables_are_forgotten,
        requests_are_mixed_up,
        giving_up_is_null,
        anything_is_a_list,
        numbers_have_no_bounds,
        texts_of_any_class,
        aliases_are_ignored,
        only_the_first_selection_counts,
        order_is_ignored,
    )
}


async def test_without_a_bug_nothing_differs() -> None:
    assert await differing(planned()) == []


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("name", BUGS)
async def test_the_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch, report: Any) -> None:
    BUGS[name](monkeypatch)

    found = await differing(planned())

    assert found, "no case tells the bug"
    report.notes.append(f"planted in plans: {name}: told by {len(found)}, first {found[0]!r}")
