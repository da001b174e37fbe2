"""Whether the home page stays as fast where there are more members, or longer journals."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Figure, print_figures, write_figures
from benchmarks.home.building import Sizes, build, lengthen
from benchmarks.home.contestants import gateway_of
from benchmarks.home.loads import Loader
from benchmarks.home.reporting import RESULTS
from benchmarks.home.rounds import Effort
from benchmarks.postgres import Server, serving
from benchmarks.printing import console
from tests.faults.loading import http_request
from tests.faults.serving import Serving
from tests.faults.town import Town
from tests.graphql.operations import operation
from tests.servers import open_redis

FEW: Final = Sizes(members=1_000, entries=12)
GOAL: Final = 1.2
CONNECTIONS: Final = 2
"""Few, so that a request does not wait for others."""

_ENTRIES: Final = 10
_GROWN_ENTRIES: Final = 100_000


async def run(members: int, effort: Effort) -> None:
    """Print the ratios of p50: among `members` members to 1,000, at 10^5 entries to 10."""
    with serving() as server, tempfile.TemporaryDirectory() as name:
        redis = open_redis()
        try:
            figures = [
                await _by_entries(server, Path(name), redis.url, effort),
                await _by_members(server, Path(name), redis.url, members, effort),
            ]
        finally:
            redis.close()
    print_figures("Growth: p50 of the home page, ratios", figures)
    write_figures("Growth", figures, RESULTS / "growth.md")


async def _by_entries(server: Server, folder: Path, redis_url: str, effort: Effort) -> Figure:
    with server.databases.fresh() as url:
        town = await build(url, folder, replace(FEW, members=64))
        await lengthen(url, town.members[1], entries=_GROWN_ENTRIES)
        loaders = [_loader(folder, town, "short", [0]), _loader(folder, town, "long", [1])]
        with gateway_of(town, folder, redis_url=redis_url) as gateway:
            ratios = await _ratios([(gateway, one) for one in loaders], effort)
    return _figure(f"at {_GROWN_ENTRIES:,} entries, to {FEW.entries}", ratios)


async def _by_members(
    server: Server, folder: Path, redis_url: str, members: int, effort: Effort
) -> Figure:
    few_folder, many_folder = folder / "few", folder / "many"
    few_folder.mkdir()
    many_folder.mkdir()
    with server.databases.fresh() as few_url, server.databases.fresh() as many_url:
        few = await build(few_url, few_folder, FEW)
        console.print(f"Making {members:,} members ...")
        many = await build(many_url, many_folder, replace(FEW, members=members))
        with (
            gateway_of(few, few_folder, redis_url=redis_url) as small,
            gateway_of(many, many_folder, redis_url=redis_url) as large,
        ):
            pairs = [
                (small, _loader(few_folder, few, "all", range(len(few.members)))),
                (large, _loader(many_folder, many, "all", range(len(many.members)))),
            ]
            ratios = await _ratios(pairs, effort)
    return _figure(f"among {members:,} members, to {FEW.members:,}", ratios)


async def _ratios(pairs: Sequence[tuple[Serving, Loader]], effort: Effort) -> list[float]:
    """The second one's p50 for one of the first's, round by round, the least first."""
    for gateway, loader in pairs:
        await loader.send(gateway.port, seconds=1, connections=CONNECTIONS)
    found = []
    for number in range(effort.rounds):
        turn = pairs if number % 2 else pairs[::-1]
        p50s = [
            (
                await loader.send(gateway.port, seconds=effort.seconds, connections=CONNECTIONS)
            ).p50_ms
            for gateway, loader in turn
        ]
        first, second = p50s if number % 2 else p50s[::-1]
        found.append(second / first)
    return sorted(found)


def _loader(folder: Path, town: Town, name: str, places: Sequence[int] | range) -> Loader:
    """Asks as those members, for as many entries as the shortest journal has."""
    own = folder / name
    own.mkdir()
    text = operation("Home")
    variables = {"ledgerFirst": _ENTRIES, "recommendationsFirst": 10}
    return Loader(
        own,
        [http_request(text, variables, token=town.member_tokens[place]) for place in places],
    )


def _figure(what: str, ratios: Sequence[float]) -> Figure:
    middle = median(ratios)
    return Figure(
        goal="4",
        what=f"p50 {what}",
        least=ratios[0],
        median=middle,
        most=ratios[-1],
        unit="times",
        asked=f"≤ {GOAL}",
        reached=middle <= GOAL,
    )
