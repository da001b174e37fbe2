"""Levels as they are kept from day to day are those that all history gives from scratch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from tests.properties.career import PROGRAMMES, live

LONG: Final = bool(os.environ.get("JIFEN_SOAK"))
STREETS: Final = 20 if LONG else 2
"""Of each programme, each with other chances; every other one has a review each night."""
STEPS: Final = 60 if LONG else 16
MUST_HAPPEN: Final = frozenset(
    {
        *("BUY", "REFUND", "GRANT", "END", "REDEEM", "review", "no review", "told of a risk"),
        *("is base", "is silver", "is gold"),
        *("QUALIFIED", "LOWERED", "REFUNDED", "GRANTED", "GRANT_ENDED"),
    }
)
"""In the long form, in each programme."""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(0 if LONG else 120),
    pytest.mark.usefixtures("database"),
]


@pytest.mark.parametrize("programme", range(len(PROGRAMMES)))
async def test_levels_from_day_to_day_are_those_from_scratch(
    programme: int, database: str, tally: Callable[[str, int, int], None]
) -> None:
    done: Counter[str] = Counter()
    for number in range(STREETS):
        await live(
            programme,
            seed=f"{programme}-{number}",
            steps=STEPS,
            punctual=number % 2 == 0,
            done=done,
        )
    assert set(done) >= (MUST_HAPPEN if LONG else {"BUY", "REFUND", "review", "no review"})
    engine = database.split(":", maxsplit=1)[0]
    floor = 3_000 if LONG else 60
    tally(f"levels of programme {programme} from scratch on {engine}", done["compared"], floor)
