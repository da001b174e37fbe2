"""Random histories on real databases, compared with the model after every step."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain import storage
from domain.ledger import EntryKind, loading
from tests.properties.doings import DOINGS
from tests.properties.reducing import Round, live, smallest
from tests.properties.town import TICKS, Difference, Town

TOGETHER: Final = 10 if os.environ.get("JIFEN_SOAK") else 25
"""Members of one town, each with steps of its own, who share one clock.

The short form has few towns: a round takes PostgreSQL hardly longer for 50 members than for 10.
"""
STEPS: Final = 50
TOWNS: Final = 200 if os.environ.get("JIFEN_SOAK") else 2
RUNS: Final = TOWNS * TOGETHER
EVERYTHING: Final = frozenset(
    [
        "ADJUST",
        "CAPTURE",
        "EARN",
        "HOLD",
        "MATURE",
        "REDEEM",
        "RELEASE",
        "REVERSAL",
        "TRANSFER_OUT",
        "EntryNotReversible",
        "HoldNotOpen",
        "IdempotencyConflict",
        "InsufficientPoints",
        "InvalidInput",
        "PointsOutOfRange",
        "ReversalExceeds",
        "ReversedBefore",
    ]
) | {"a replay", "a sweep"}
"""What must have been answered, or done by the sweeper, at least once."""

ROUNDS = st.lists(
    st.binary(min_size=2 + 3 * TOGETHER, max_size=2 + 3 * TOGETHER),
    min_size=STEPS,
    max_size=STEPS,
)
"""A history in bytes, of which Hypothesis draws up to 8 KiB: a number at a time it could draw less
than half as many, and mostly small ones."""


def round_of(drawn: bytes) -> Round:
    """Two bytes for the clock, then three for each member."""
    steps = zip(drawn[2::3], drawn[3::3], drawn[4::3], strict=True)
    return (drawn[0] % TICKS, drawn[1]), tuple(
        (what % len(DOINGS), size, which) for what, size, which in steps
    )


class History:
    """Rounds that are not shown: what is shown is the story of what failed."""

    def __init__(self, drawn: list[bytes]) -> None:
        self.drawn = drawn
        self.rounds = [round_of(each) for each in drawn]

    @property
    def is_empty(self) -> bool:
        return not any(any(each) for each in self.drawn)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(f"a history of {len(self.rounds)} rounds")


async def lived(history: History) -> Town:
    """The history, made small where it fails."""
    try:
        return await live(history.rounds)
    except Difference as difference:
        raise await smallest(history.rounds, difference) from None


async def opened(url: str) -> str:
    """Connect; the database's dialect. Histories are about the ledger, not about power cuts."""
    await storage.connect(url)
    if storage.dialect() == "sqlite":
        await storage.execute("PRAGMA synchronous = OFF")
    return storage.dialect()


@pytest.mark.soak
@pytest.mark.timeout(0 if os.environ.get("JIFEN_SOAK") else 300)
def test_random_histories_agree_with_the_model(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tally: Callable[[str, int, int], None],
) -> None:
    # Members of a few lots, too, shall have more than are loaded at once.
    monkeypatch.setattr(loading, "LOTS_AT_ONCE", 2)
    lives: list[History] = []
    effects: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        engine = runner.run(opened(database_url))

        @settings(
            max_examples=TOWNS + 1,
            deadline=None,
            derandomize=not os.environ.get("JIFEN_SOAK"),
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(ROUNDS.map(History))
        def histories(history: History) -> None:
            if history.is_empty:
                return  # Hypothesis begins with it, and it proves little: it is no history.
            town = runner.run(lived(history))
            lives.append(history)
            effects.update(town.effects)

        try:
            histories()
        finally:
            runner.run(storage.close())
    assert set(effects) >= EVERYTHING
    tally(f"independent clocks of ledger histories on {engine}", len(lives), TOWNS)
    members = sum(len(history.rounds[0][1]) for history in lives)
    tally(f"members' histories, {TOGETHER} sharing a clock, on {engine}", members, RUNS)
    steps = sum(len(each) for history in lives for _, each in history.rounds)
    tally(f"steps of ledger histories on {engine}", steps, RUNS * STEPS)
    posted = sum(effects[kind.value] for kind in EntryKind)
    tally(f"sweeps that wrote something, on {engine}", effects["a sweep"], TOWNS)
    tally(f"effects of ledger histories on {engine}", posted, RUNS * STEPS // 2)
