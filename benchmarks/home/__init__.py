"""The home page beside servers written by hand, and beside Node, on one PostgreSQL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from benchmarks.home.answers import check_same, home_requests
from benchmarks.home.building import Sizes, build
from benchmarks.home.contestants import BEST, GATEWAY, MERCURIUS, PLAIN, running
from benchmarks.home.loads import CONNECTIONS, Loader
from benchmarks.home.reporting import Goal, Race, print_race, write_race
from benchmarks.home.rounds import Effort, race
from benchmarks.postgres import serving
from benchmarks.printing import console
from tests.servers import open_redis

GOALS: Final = (Goal(GATEWAY, PLAIN, 1.0), Goal(GATEWAY, MERCURIUS, 1.0), Goal(GATEWAY, BEST, 0.65))


async def run(sizes: Sizes, effort: Effort) -> None:
    """Print the table and write it into `benchmarks/results`: about three minutes."""
    measured = await measure(sizes, effort)
    print_race(measured)
    for file in write_race(measured, "home"):
        console.print(f"written: {file}")


async def measure(sizes: Sizes, effort: Effort) -> Race:
    """Build the database, let the servers answer the same, and race them."""
    with serving() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server.databases.fresh() as url:
            town = await build(url, folder, sizes)
            loader = Loader(folder, home_requests(town))
            redis = open_redis()
            try:
                with running(town, folder, redis_url=redis.url) as contestants:
                    answer = check_same(contestants, town)
                    records = await race(
                        contestants,
                        loader,
                        postgres=server.pid,
                        effort=effort,
                    )
            finally:
                redis.close()
    conditions = (
        f"PostgreSQL {server.version}, {sizes.members:,} members with {sizes.entries:,} entries "
        f"each, answers of {len(answer):,} bytes, the same from all. One worker each, "
        f"{CONNECTIONS} connections, {effort.rounds} rounds of {effort.seconds:g} s in turn, sent "
        f"by {loader.name}."
    )
    return Race("The home page", conditions, PLAIN, records, GOALS)
