"""Runs of `make run`: one that is ready, for who looks, and others that a test starts itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.run.running import MakeRun
from tests.run.seeded import HISTORY

Start = Callable[..., MakeRun]


@dataclass(frozen=True, slots=True)
class Seeded:
    """A first run that became ready after some seconds, with the history that it made."""

    run: MakeRun
    seconds: float
    history: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """A first run, on SQLite."""
    run = MakeRun(tmp_path_factory.mktemp("first"))
    try:
        seconds = run.until_ready()
        yield Seeded(run=run, seconds=seconds, history=rows(run.database, HISTORY))
    finally:
        run.close()


@pytest.fixture
def first(seeded: Seeded) -> MakeRun:
    """The first run, for those who only look."""
    return seeded.run


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runs that are ended with the test."""
    runs: list[MakeRun] = []

    def start(folder: Path, **how: Any) -> MakeRun:
        runs.append(MakeRun(folder, **how))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query; none while the table is not there yet."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
