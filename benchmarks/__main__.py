"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all of them."""

from __future__ import annotations

import asyncio
import sys

from benchmarks import games, ledger, recommendations, training

BENCHMARKS = {
    "ledger": ledger.run,
    "games": games.run,
    "recommendations": recommendations.run,
    "training": training.run,
}


def main(names: list[str]) -> None:
    """Run them one after the other; two at once would measure each other."""
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"There is no such benchmark: {', '.join(sorted(unknown))}")
    for name in names or BENCHMARKS:
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
