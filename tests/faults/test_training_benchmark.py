"""The benchmark of training in small: the command in its process, and what is served of it."""

from __future__ import annotations

import pytest

from benchmarks.training.measuring import Training, measure
from benchmarks.training.rows import Sizes, load
from benchmarks.training.telling import STAGES, print_trainings
from domain.recommendations import Method

pytestmark = pytest.mark.faults

SIZES = Sizes(members=500, products=300, lines=10_000)
PEAK_MB_MAX = 400
"""An interpreter with numpy, scipy and the gateway is most of it."""


async def test_everybody_gets_lists_and_ten_recommendations_are_one_statement(
    postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await load(postgres_url, SIZES)
    training = await measure(postgres_url, Method.ITEM_ITEM)
    assert isinstance(training, Training)
    assert training.listed == SIZES.members
    assert training.statements == 1
    assert {*training.stages} == {*STAGES}
    assert sum(training.stages.values()) < training.took_s
    assert 0 < training.peak_mb < PEAK_MB_MAX
    print_trainings(SIZES, [training])
    assert "ITEM_ITEM" in capsys.readouterr().out
