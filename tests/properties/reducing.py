"""A history that fails, made small: without the steps that it does not need, with small numbers.

Hypothesis makes the histories. It would make them small too, but it does not know that the members
of one history hardly meet; a few hundred short histories suffice here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Final, TypeAlias
from uuid import UUID

from tests.properties.doings import Step, batches_of
from tests.properties.town import SWEPT_FROM, Difference, Tick, Town

Round: TypeAlias = tuple[Tick, tuple[Step | None, ...]]
"""How the clock moves, then what each member does."""

_NUMBERS: Final = count(1)
SECONDS_MAX: Final = 40.0


async def live(rounds: Sequence[Round]) -> Town:
    """The history of members of its own. Raises Difference."""
    town = Town([UUID(int=next(_NUMBERS)) for _ in range(len(rounds[0][1]))])
    for number, (tick, steps) in enumerate(rounds, 1):
        town.tick(tick)
        try:
            if tick[1] >= SWEPT_FROM:
                await town.sweep()
            if any(steps):
                await town.step(batches_of(town, steps))
        except Difference as difference:
            difference.rounds = number
            raise
    return town


@dataclass(slots=True)
class Reduction:
    """The smallest failing history so far, and how it fails."""

    rounds: list[Round]
    difference: Difference
    until: float

    @property
    def members(self) -> set[int]:
        """Who does anything in it."""
        return {n for _, steps in self.rounds for n, step in enumerate(steps) if step}

    @property
    def going_on(self) -> bool:
        return monotonic() < self.until

    async def fails(self, rounds: Sequence[Round]) -> bool:
        """Whether this one fails too; then it is the smallest."""
        smaller = [one for one in rounds if one[0] != STILL or any(one[1])]
        if not smaller or not self.going_on:
            return False
        try:
            await live(smaller)
        except Difference as difference:
            self.rounds, self.difference = smaller[: difference.rounds], difference
            return True
        return False

    async def leave_members_out(self) -> None:
        """Half of those that are left at a time, then a quarter, until each was tried alone."""
        size = len(self.members) // 2
        while size and self.going_on:
            several = sorted(self.members)
            for start in range(0, len(several), size):
                out = set(several[start : start + size])
                await self.fails([(tick, _without(steps, out)) for tick, steps in self.rounds])
            size //= 2

    async def leave_rounds_out(self) -> None:
        size = len(self.rounds) // 2
        while size and self.going_on:
            start = 0
            while start < len(self.rounds):
                if not await self.fails(self.rounds[:start] + self.rounds[start + size :]):
                    start += size
            size //= 2

    async def change_rounds(self, change: Callable[[Round], Iterator[Round]]) -> None:
        """Try what the change makes of each round."""
        for place in range(len(self.rounds) - 1, -1, -1):
            for changed in change(self.rounds[place]) if place < len(self.rounds) else ():
                if place < len(self.rounds):
                    await self.fails([*self.rounds[:place], changed, *self.rounds[place + 1 :]])


STILL: Final[Tick] = (0, 0)


async def smallest(
    rounds: Sequence[Round], difference: Difference, *, within_s: float = SECONDS_MAX
) -> Difference:
    """The difference that the smallest history shows which was found in a bounded search."""
    found = Reduction(list(rounds[: difference.rounds]), difference, monotonic() + within_s)
    await found.leave_members_out()
    await found.leave_rounds_out()
    for change in (_steps_left_out, _ticks_left_out, _numbers_made_small):
        await found.change_rounds(change)
    return found.difference


def _without(steps: tuple[Step | None, ...], members: set[int]) -> tuple[Step | None, ...]:
    return tuple(None if n in members else step for n, step in enumerate(steps))


def _steps_left_out(one: Round) -> Iterator[Round]:
    tick, steps = one
    for member, step in enumerate(steps):
        if step:
            yield tick, _without(steps, {member})


def _ticks_left_out(one: Round) -> Iterator[Round]:
    tick, steps = one
    if tick != STILL:
        yield STILL, steps


def _numbers_made_small(one: Round) -> Iterator[Round]:
    """Each number 0, or else a few that are smaller."""
    tick, steps = one
    for member, step in enumerate(steps):
        for digit in (1, 2) if step else ():
            assert step is not None
            for less in (0, 1, step[digit] // 16, step[digit] // 4):
                if less < step[digit]:
                    small = (*step[:digit], less, *step[digit + 1 :])
                    yield (
                        tick,
                        (*steps[:member], (small[0], small[1], small[2]), *steps[member + 1 :]),
                    )
