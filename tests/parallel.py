"""One run split over worker processes: how many, what they may do at once, one report of all.

Each worker is a pytest of its own, with its own PostgreSQL and Redis; a module's tests stay in one
worker, so that they share its database. The process that was started runs no test: it hands out
modules and prints one closing report, merged from those of its workers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.closing import ClosingReport
from tests.servers.guarded import Account

WORKERS_MAX: Final = 4
"""Each has a database server of its own; more of them would gain little."""

LONGEST_FIRST: Final = ("imports", "run", "properties", "races", "repository", "graphql")
"""Folders whose modules are begun first, so that no worker is left with a long one at the end."""


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of several, started by the one that prints."""
    return hasattr(config, "workerinput")


def workers(config: pytest.Config) -> int:
    """How many processes besides this one `-n auto` means.

    None where files are named (they are few, and a debugger works here), where the one Redis that
    TEST_REDIS_URL names would be shared, and on one processor.
    """
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    processors = len(os.sched_getaffinity(0))
    if named or os.environ.get("TEST_REDIS_URL") or processors == 1:
        return 0
    return min(processors, WORKERS_MAX)


class Turns:
    """Tests marked `quiet` run while no other test does, in whatever process.

    Every test holds the floor: shared with others, or alone. Whoever wants it alone keeps the door
    meanwhile, so that no new test can slip in before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def take(self, *, alone: bool) -> Iterator[None]:
        """Hold the floor; waits for whoever holds it the other way."""
        with self._open("door") as door, self._open("floor") as floor:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(floor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(door, fcntl.LOCK_UN)
            # Closing the files lets go, whatever the test did.
            yield

    def _open(self, name: str) -> Any:
        return (self._folder / name).open("ab")


class Workers:
    """A plugin for the process that was started: it splits the run and merges the reports."""

    def __init__(self, report: ClosingReport) -> None:
        self._report = report
        self._folder: Path | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where turns are taken."""
        self._folder = self._folder or Account(uid=None, gid=None).make_folder("turns")
        node.workerinput["turns"] = str(self._folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what an ended worker reports."""
        told = getattr(node, "workeroutput", {}).get("closing")
        if told is None:
            name = node.gateway.id
            self._report.notes.append(f"worker {name} was lost, and with it what it counted")
        else:
            self._report.absorb(told)

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        if self._folder is not None:
            shutil.rmtree(self._folder)


class Worker:
    """A plugin for each of several processes: it takes turns, and reports at its end."""

    def __init__(self, config: Any, report: ClosingReport) -> None:
        self._output: dict[str, Any] = config.workeroutput
        self._turns = Turns(Path(config.workerinput["turns"]))
        self._report = report

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Modules are handed out in the order in which their tests were collected."""
        items.sort(key=_turn)

    # Outside of the clock that gives up on slow tests: waiting is not being slow.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run a test with its fixtures when it is its turn."""
        with self._turns.take(alone=item.get_closest_marker("quiet") is not None):
            return (yield)

    def pytest_sessionfinish(self) -> None:
        """Send the report to the process that prints it."""
        self._output["closing"] = self._report.told()


def _turn(item: pytest.Item) -> int:
    folder = item.nodeid.split("/")[1]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)
