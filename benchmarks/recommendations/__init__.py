"""Recommendations on real purchases: through the import, the training and the serving.

The files are in the folder that `JIFEN_DATA` names. Ends with status 1 where a floor is missed, or
where a purchase after the split changed anything.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.postgres import serving
from benchmarks.printing import console
from benchmarks.recommendations.complete_journey import evaluate_complete_journey
from benchmarks.recommendations.judging import Figures
from benchmarks.recommendations.online_retail import FLOORS, evaluate_online_retail
from benchmarks.recommendations.telling import print_cold_start, print_figures

_FOLDER: Final = "JIFEN_DATA"


async def run() -> None:
    """Print all of it: about six minutes."""
    if not (named := os.environ.get(_FOLDER)):
        sys.exit(f"This benchmark needs the folder of the data sets: set {_FOLDER}")
    data = Path(named)
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        console.print(f"PostgreSQL {server.version}\n")
        with server.databases.fresh() as url:
            retail = await evaluate_online_retail(url, data, Path(folder))
        print_figures("Online Retail, split at 2011-10-01: Recall@10", retail, floors=FLOORS)
        with server.databases.fresh() as url:
            journey, cold = await evaluate_complete_journey(url, data, Path(folder))
        print_figures("Complete Journey, split at 2017-10-01: Recall@10", journey, floors={})
        print_cold_start(cold)
    if missed := _missed([*retail, *journey]):
        sys.exit("\n".join(missed))


def _missed(figures: list[Figures]) -> list[str]:
    found = [
        f"{one.data} {one.method}: {shelf} {value:.4f} is below {FLOORS[one.method, shelf]}"
        for one in figures
        if one.data == "Online Retail"
        for shelf, value in (
            ("again", one.quality.again.recall_at_10),
            ("discover", one.quality.discover.recall_at_10),
        )
        if value < FLOORS[one.method, shelf]
    ]
    found += [
        f"{one.data} {one.method}: {one.leaked} rows differ once later purchases are there"
        for one in figures
        if one.leaked
    ]
    return found
