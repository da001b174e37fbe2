"""How much work plans save: instructions of the interpreter, which no other process changes.

Counted with plans and without, in one run; the share is what is held, not the count.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from graphql import parse

from tests.closing import ClosingReport
from tests.execution.cases import CASES, world_of
from tests.execution.comparing import Stock, executed, planned
from tests.execution.wild import World, wild_schema

SHARE_MAX = 0.35
"""Of the instructions that graphql-core alone takes. It was 0.24 when this was written."""

PAGE = parse(
    "query Page($first: Int = 9, $all: Boolean!) { things(first: $first) { name title key count"
    " sureCount flag sureMood mood sureEven tags shout greeting box { text } child { name title }"
    " children { name key sureChild { title count } } later { name title @include(if: $all) } } }"
)


async def instructions(by: type[Any]) -> int:
    """How many instructions one execution of the page takes, when it has been executed before."""
    for _ in range(3):
        await _executed(by)
    count = 0

    def opcode(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "opcode"
        return opcode

    def call(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        return opcode

    world = _world()
    before = sys.gettrace()
    sys.settrace(call)
    try:
        await _executed(by, world)
    finally:
        sys.settrace(before)
    return count


def _world() -> World:
    return world_of(CASES["fields stand in the order of the query"])


async def _executed(by: type[Any], world: World | None = None) -> None:
    result = await executed(
        wild_schema(), PAGE, by=by, variables={"all": True}, context=world or _world()
    )
    assert result.errors is None, result.errors


def kept(stock: int, plan: int) -> bool:
    """Whether plans save as much as they should."""
    return plan <= SHARE_MAX * stock


async def test_plans_take_a_third_of_the_instructions(report: ClosingReport) -> None:
    stock, plan = await instructions(Stock), await instructions(planned())

    assert kept(stock, plan), (plan, stock)
    report.notes.append(
        f"executing a page takes {plan} instructions by its plan, {plan / stock:.2f} of the {stock}"
        f" without (at most {SHARE_MAX})"
    )


async def test_the_guard_notices_when_plans_are_off() -> None:
    stock = await instructions(Stock)
    never = planned(uses_before=10**9)

    assert not kept(stock, await instructions(never))


async def test_the_count_is_the_same_each_time() -> None:
    counts = [await instructions(planned()) for _ in range(2)]
    assert abs(counts[0] - counts[1]) <= counts[0] / 100
