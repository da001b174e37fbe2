"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all of them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping

from benchmarks import games, home, ledger, recommendations, training
from benchmarks.home import budget, growth, worker
from benchmarks.home.building import Sizes
from benchmarks.home.rounds import Effort

DEFAULTS, EFFORT = Sizes(), Effort()
GROWN_TO = 100_000


def benchmarks_with(
    sizes: Sizes = DEFAULTS, effort: Effort = EFFORT, *, grown_to: int = GROWN_TO
) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """All of them, by name, in the order in which they run."""
    return {
        "ledger": ledger.run,
        "games": games.run,
        "recommendations": recommendations.run,
        "training": training.run,
        "home": lambda: home.run(sizes, effort),
        "budget": lambda: budget.run(sizes, effort.rounds * effort.seconds),
        "worker": lambda: worker.run(sizes, effort),
        "growth": lambda: growth.run(grown_to, effort),
    }


def main() -> None:
    """Run them one after the other; two at once would measure each other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benchmarks_with()))
    parser.add_argument("--members", type=int, default=DEFAULTS.members)
    parser.add_argument("--entries", type=int, default=DEFAULTS.entries, help="of each member")
    parser.add_argument("--rounds", type=int, default=EFFORT.rounds)
    parser.add_argument("--seconds", type=float, default=EFFORT.seconds, help="of a server's turn")
    parser.add_argument("--grown-to", type=int, default=GROWN_TO, help="members of `growth`")
    asked = parser.parse_args()
    chosen = benchmarks_with(
        Sizes(members=asked.members, entries=asked.entries),
        Effort(rounds=asked.rounds, seconds=asked.seconds),
        grown_to=asked.grown_to,
    )
    if unknown := set(asked.names) - set(chosen):
        parser.error(f"There is no such benchmark: {', '.join(sorted(unknown))}")
    for name in asked.names or chosen:
        asyncio.run(_run(chosen[name]))


async def _run(benchmark: Callable[[], Awaitable[None]]) -> None:
    await benchmark()


if __name__ == "__main__":
    main()
