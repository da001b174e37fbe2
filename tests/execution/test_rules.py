"""Each rule of execution by a query of its own, with plans and without."""

from __future__ import annotations

import pytest

from tests.execution.cases import CASES, answers
from tests.execution.comparing import Stock, planned


@pytest.mark.parametrize("name", CASES)
async def test_the_answer_is_that_of_graphql_core(name: str) -> None:
    stock, plan = await answers(CASES[name], Stock), await answers(CASES[name], planned())

    assert plan == stock
    assert stock[: len(stock) // 3] == stock[-len(stock) // 3 :], "each execution tells the same"
