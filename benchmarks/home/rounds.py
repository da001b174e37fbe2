"""Rounds in which the servers take turns, so that a slow minute of the machine is everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.home.contestants import Contestant
from benchmarks.home.loads import Load, Loader
from benchmarks.processes import processor_s


@dataclass(frozen=True, slots=True)
class Effort:
    """How many rounds are run, and for how many seconds each server is loaded in one."""

    rounds: int = 5
    seconds: float = 4.0


@dataclass(slots=True)
class Record:
    """What a server did, round by round; processor time in seconds, its own and the database's."""

    name: str
    loads: list[Load] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)
    database_s: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second, the median of the rounds."""
        return median(one.rate for one in self.loads)

    @property
    def p50_ms(self) -> float:
        """Within how long half the answers came, the median of the rounds."""
        return median(one.p50_ms for one in self.loads)

    @property
    def p99_ms(self) -> float:
        """Within how long all but one of a hundred came, the median of the rounds."""
        return median(one.p99_ms for one in self.loads)

    @property
    def own_ms(self) -> float:
        """Its processor time for one answer."""
        return _each_ms(self.own_s, self.loads)

    @property
    def database_ms(self) -> float:
        """The database's processor time for one answer."""
        return _each_ms(self.database_s, self.loads)

    def ratios(self, peer: Record) -> Sequence[float]:
        """Its rate for one of the peer's, round by round, the least first."""
        pairs = zip(self.loads, peer.loads, strict=True)
        return sorted(own.rate / other.rate for own, other in pairs)


def _each_ms(used_s: Sequence[float], loads: Sequence[Load]) -> float:
    each = zip(used_s, loads, strict=True)
    return median(used * 1_000 / load.requests for used, load in each)


async def race(
    contestants: Sequence[Contestant],
    loader: Loader,
    *,
    postgres: int,
    effort: Effort,
) -> list[Record]:
    """Load them in turn; the first round of a third of the time warms up and is not counted.

    Each round begins with another one. `postgres` is the database server's process.
    """
    records = {one.name: Record(one.name) for one in contestants}
    for one in contestants:
        await loader.send(one.port, seconds=max(effort.seconds / 3, 1))
    for number in range(effort.rounds):
        first = number % len(contestants)
        for one in [*contestants[first:], *contestants[:first]]:
            own_s, database_s = one.processor_s, processor_s(postgres)
            load = await loader.send(one.port, seconds=effort.seconds)
            record = records[one.name]
            record.loads.append(load)
            record.own_s.append(one.processor_s - own_s)
            record.database_s.append(processor_s(postgres) - database_s)
    return list(records.values())
