"""The draw: by the odds that the merchant disclosed, with the machine's own randomness."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

ONE = 1_000_000
"""Odds are counted in millionths, so that they add up exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prize:
    """A field of the wheel. A prize of no points is none; of that there is no `count`."""

    code: str
    title: str
    points: int
    odds_ppm: int
    count: int | None = None


NOTHING = Prize(code="", title="谢谢参与", points=0, odds_ppm=0)


def prize_of(code: str, title: str, odds: float, *, count: int | None = None) -> Prize:
    """A disclosed prize, whose code says what it is worth: `points-20`."""
    found = re.fullmatch(r"points-(\d+)", code)
    return Prize(
        code=code,
        title=title,
        points=int(found[1]) if found else 0,
        odds_ppm=round(odds * ONE),
        count=count,
    )


def draw(prizes: Sequence[Prize], *, ticket: int | None = None) -> Prize:
    """One draw. `ticket` is a number below a million, at random where it is left out."""
    number = secrets.randbelow(ONE) if ticket is None else ticket
    for prize in prizes:
        if number < prize.odds_ppm:
            return prize
        number -= prize.odds_ppm
    return NOTHING
