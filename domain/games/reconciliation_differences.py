"""What differs between a day's file of ours and what the partner has. Pure.

Both are sorted alike, so one walk over both finds what is not in both, or not the same. Each such
item is then judged by how it stands with us now: what was resolved or sent anew since our file was
written is no difference any more, nor what came on another day of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from domain.games.reconciliation_lines import Line

LOOKED_AT_ONCE: Final = 2_000


class DifferenceKind(StrEnum):
    """How an item differs."""

    MISSING_HERE = "MISSING_HERE"
    """The partner says that it took effect, or waits; it was never pushed here."""
    MISSING_THERE = "MISSING_THERE"
    """It took effect here, or waits; the partner's file of the day does not have it."""
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    """Both have it, with other points, or as a grant here and a reversal there."""
    STATUS_MISMATCH = "STATUS_MISMATCH"
    """Both have it, with the same points but another status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An item that differs: its kind, points and status on either side, None where it is not."""

    external_id: str
    kind: DifferenceKind
    ours: str | None
    theirs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An item as the two files have it; None where one does not."""

    external_id: str
    ours: Line | None
    theirs: Line | None


def pairs_of(ours: Iterator[Line], theirs: Iterator[Line]) -> Iterator[Pair]:
    """Each item of either, in the order of both. One line of each is in memory at a time."""
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        takes_one = one is not None and (other is None or one.key <= other.key)
        takes_other = other is not None and (one is None or other.key <= one.key)
        mine, yours = one if takes_one else None, other if takes_other else None
        named = mine or yours
        assert named is not None
        yield Pair(external_id=named.external_id, ours=mine, theirs=yours)
        one = next(ours, None) if takes_one else one
        other = next(theirs, None) if takes_other else other


def unequal_of(pairs: Iterator[Pair]) -> tuple[list[Pair], bool]:
    """Of the next few pairs those whose sides are not the same, and whether that was the last."""
    looked_at, found = 0, []
    for pair in islice(pairs, LOOKED_AT_ONCE):
        looked_at += 1
        if pair.ours != pair.theirs:
            found.append(pair)
    return found, looked_at < LOOKED_AT_ONCE


def difference_of(pair: Pair, standing: Line | None, *, is_of_day: bool) -> Difference | None:
    """What differs of an item that stands so with us now (None: it was never pushed), if anything.

    `is_of_day`: it was received on the day of the files. What came to nothing on one side need not
    be known to the other.
    """
    theirs = pair.theirs
    kind = None
    if theirs is None:
        if standing is not None and standing.has_effect and is_of_day:
            kind = DifferenceKind.MISSING_THERE
    elif standing is None:
        if theirs.has_effect:
            kind = DifferenceKind.MISSING_HERE
    elif (standing.kind, standing.points) != (theirs.kind, theirs.points):
        kind = DifferenceKind.AMOUNT_MISMATCH
    elif standing.status is not theirs.status:
        kind = DifferenceKind.STATUS_MISMATCH
    if kind is None:
        return None
    return Difference(
        external_id=pair.external_id,
        kind=kind,
        ours=None if standing is None else standing.told,
        theirs=None if theirs is None else theirs.told,
    )
