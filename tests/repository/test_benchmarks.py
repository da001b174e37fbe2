"""What the benchmarks measure is still there under its name."""

from __future__ import annotations

import pkgutil
from xml.etree import ElementTree

import orjson

from benchmarks import games
from benchmarks.home.budget import OTHER, STAGES, budget_of, stage_of
from benchmarks.home.flames import flame_graph
from benchmarks.ledger import shares
from tests.repository.tree import ROOT

EXECUTION = ROOT / "api" / "execution"


def test_the_parts_that_are_measured_are_functions() -> None:
    for path in {**shares.PARTS, **games.PARTS}:
        assert callable(pkgutil.resolve_name(path)), path


def test_the_stages_of_ours_are_files() -> None:
    own = [start for start, _ in STAGES if start.startswith(("api/", "domain/", "schema/", "res"))]
    missing = [start for start in own if not [*ROOT.glob(f"{start.rstrip('/')}*")]]
    assert missing in ([], ["api/execution/"])


def test_the_innermost_frame_of_a_stage_decides() -> None:
    stack = "runpy.py:run;uvicorn/server.py:run;graphql/execution/executor.py:execute"
    assert stage_of(stack) == "execution"
    assert stage_of(f"{stack};domain/ledger/pages.py:journal") == "domain: rows to values"
    assert stage_of(f"{stack};enum.py:Enum.__hash__") == "execution"
    assert stage_of("runpy.py:run;asyncio/runners.py:run") == OTHER


def test_a_budget_shares_the_processor_time_out() -> None:
    told = {
        "processor_s": 0.4,
        "stacks": {"asyncio/runners.py:run": 1, "graphql/execution/executor.py:execute": 3},
        "statements": {"SELECT 1": 80},
        "statements_s": 0.2,
        "waits_s": 0.1,
        "collecting_s": 0.05,
        "collection_s_max": 0.04,
    }
    budget = budget_of(orjson.dumps(told), requests=10)
    assert dict(budget.stages_ms) == {OTHER: 10.0, "execution": 30.0}
    assert (budget.statements, budget.statements_ms, budget.waits_ms) == (8.0, 20.0, 10.0)
    assert (budget.collecting_ms, budget.collection_ms_max) == (5.0, 40.0)
    assert budget.rows()[0] == ["execution", "30.000", "75%"]


def test_a_flame_graph_has_a_box_for_each_frame_without_those_that_all_share() -> None:
    picture = flame_graph({"main;run;a/<b>": 3, "main;run;a/<b>;c": 1, "main;run;d": 4})
    boxes = ElementTree.fromstring(picture).findall("{*}g")
    titles = [box.findtext("{*}title") for box in boxes]
    assert titles == ["run: 100.0%", "a/<b>: 50.0%", "c: 12.5%", "d: 50.0%"]
