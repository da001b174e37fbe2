"""The preview of a refund is what the refund does: over random lives, on both databases."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import pytest

from domain import storage, tiers
from domain.ledger import Place
from domain.purchases import Refundable
from domain.returns import preview, recording
from domain.returns.orders import OrderState
from domain.storage import execute
from tests.properties.shopping import Life

SOAK: Final = bool(os.environ.get("JIFEN_SOAK"))
CASES: Final = 500 if SOAK else 25
LIVES_MAX: Final = 200 if SOAK else 6
FIRST: Final = 0 if SOAK else 56
"""Of the lives the short form lives those in which much happens."""
STEPS: Final = 60
MET: Final = {
    "bought",
    "foreseen with a lower level",
    "foreseen with coupons",
    "foreseen with debt",
    "redeemed",
    "refunded by lines",
    "refunded whole",
    "sent again",
    "used",
}
"""What must have happened at least once."""


async def lives(url: str, *, cases: int) -> tuple[str, Counter[str]]:
    """Live until so many refunds were foreseen; the dialect, and what happened on the way."""
    met: Counter[str] = Counter()
    await storage.connect(url)
    try:
        if storage.dialect() == "sqlite":
            await execute("PRAGMA synchronous = OFF")
        for number in range(FIRST, FIRST + LIVES_MAX):
            if met["foreseen"] >= cases:
                break
            life = Life(number)
            await life.begin()
            for _ in range(STEPS):
                await life.step()
            await life.verify()
            met.update(life.met)
        return storage.dialect(), met
    finally:
        await storage.close()


@pytest.mark.soak
@pytest.mark.timeout(0 if SOAK else 120)
def test_the_preview_is_what_the_refund_does(
    database_url: str, tally: Callable[[str, int, int], None]
) -> None:
    engine, met = asyncio.run(lives(database_url, cases=CASES))
    assert {what for what, times in met.items() if times} >= MET
    tally(f"refunds foreseen as they came, on {engine}", met["foreseen"], CASES)
    tally(f"of them with points owed afterwards, on {engine}", met["foreseen with debt"], 1)
    tally(f"of them with coupons taken back, on {engine}", met["foreseen with coupons"], 1)
    tally(
        f"of them with a lower level afterwards, on {engine}", met["foreseen with a lower level"], 1
    )


async def nobody(*_: object, **__: object) -> list[object]:
    """Finds no redemption that may end, and lowers no level."""
    return []


def without_lines(self: Refundable, refunded_fen: int, *, of_lines: Mapping[str, int]) -> int:
    """What would be taken if it did not matter which line came back."""
    return HONEST(self, refunded_fen, of_lines=dict.fromkeys(of_lines, 0))


def forgotten(self: OrderState, points: Mapping[Place, int]) -> OrderState:
    """An order that does not remember which points were taken."""
    left = {place: here - points.get(place, 0) for place, here in self.left.items()}
    return replace(self, left=left)


HONEST: Final = Refundable.points_to_take
BUGS: Final[dict[str, tuple[object, str, object]]] = {
    "the preview sees no coupons": (preview, "candidates_for", nobody),
    "the refund ends no coupons": (recording, "candidates_for", nobody),
    "the refund lowers no level": (tiers, "disqualify", nobody),
    "all lines count alike": (Refundable, "points_to_take", without_lines),
    "what was taken is forgotten": (OrderState, "taken", forgotten),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BUGS[bug])
    with pytest.raises(AssertionError):
        asyncio.run(lives(sqlite_url, cases=CASES))
