"""A run over several processes: one report of all, a quiet test alone, modules kept together."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.closing import ClosingReport
from tests.parallel import Turns
from tests.repository.tree import ROOT
from tests.servers.guarded import Deadline

MODULE = """
import os
import pytest
from tests.conftest import part_is_missing

{mark}
@pytest.mark.parametrize("number", range(4))
def test_counts(number, tally, report):
    with open({journal!r}, "a") as journal:
        journal.write(f"begin {name} {{os.getpid()}}\\n")
        journal.flush()
        sum(range(2_000_000))
        journal.write(f"end {name} {{os.getpid()}}\\n")
    if number == 0:
        tally("things of {name}", 7, 5)
        report.parts["sqlite"] = "some version"

def test_lacks_a_part(report):
    part_is_missing(report, "postgresql", "no binaries")

@pytest.mark.faults
def test_is_left_out():
    raise AssertionError
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three modules, one of them quiet, and where their tests say when they run."""
    written = tmp_path / "journal"
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  quiet\n  faults\n  soak\n")
    (tmp_path / "tests").mkdir()
    for name in ("a", "b", "c"):
        mark = "@pytest.mark.quiet" if name == "c" else ""
        module = MODULE.format(name=name, mark=mark, journal=str(written))
        (tmp_path / "tests" / f"test_{name}.py").write_text(module)
    return written


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """The modules of the folder as `make test` runs the whole suite, over two processes."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(folder / "pytest.ini")),
            *(
                "-p",
                "no:schemathesis",
                "-p",
                "tests.conftest",
                "-n",
                "2",
                "--dist",
                "loadscope",
                "-m",
                "not faults",
            ),
            "tests",
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JIFEN_REQUIRE_ALL_PARTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_several_processes_print_one_report(journal: Path) -> None:
    done = run(journal.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 passed, 3 skipped" in done.stdout
    for line in (
        "sqlite: some version",
        "postgresql: MISSING, 3 tests not run: no binaries",
        *(f"things of {name}: 7 (floor 5)" for name in "abc"),
        "make faults: 3 tests",
    ):
        assert done.stdout.count(f"{line}\n") == 1, done.stdout
    for title in ("Parts", "Counts", "Left to other commands"):
        assert len(re.findall(f"=+ {title} =+\n", done.stdout)) == 1, done.stdout

    lines = [line.split() for line in journal.read_text().splitlines()]
    for name in ("a", "b", "c"):
        processes = {process for _, module, process in lines if module == name}
        assert len(processes) == 1, f"module {name} was run by {processes}"
    running: set[str] = set()
    for what, module, _ in lines:
        running ^= {module}
        assert what == "end" or "c" not in running or running == {"c"}, lines


def test_a_waiting_quiet_test_comes_before_those_who_ask_later(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    with ThreadPoolExecutor() as threads:
        with turns.take(alone=False):
            with turns.take(alone=False):
                assert free(tmp_path / "door"), "those who share do not wait for each other"
            taken = threads.submit(take_alone, turns, tmp_path)
            deadline = Deadline(10)
            while free(tmp_path / "door"):
                assert deadline.pause(), "it never asked for the floor"
            assert not taken.done()
        assert taken.result(10), "it has the floor alone"
    assert free(tmp_path / "floor")


def take_alone(turns: Turns, folder: Path) -> bool:
    """Whether nobody else may have the floor meanwhile, not even to share."""
    with turns.take(alone=True):
        return not free(folder / "floor", fcntl.LOCK_SH)


def free(lock: Path, how: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock could be had now."""
    with lock.open("ab") as opened:
        try:
            fcntl.flock(opened, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_part_that_one_process_lacked_is_missing() -> None:
    report = ClosingReport(parts={"sqlite": "3.40", "postgresql": "15"})
    other = ClosingReport(parts={"redis": "7"}, missing={"postgresql": "no room"})
    other.not_run["postgresql"] += 2
    report.left["faults"] = other.left["faults"] = 5
    report.absorb(other.told())
    assert report.lines() == [
        (
            "Parts",
            ["sqlite: 3.40", "postgresql: MISSING, 2 tests not run: no room", "redis: 7"],
        ),
        ("Left to other commands", ["make faults: 5 tests"]),
    ]
    assert report.unproven() == ["postgresql", "JIFEN_DATA"]
    assert report.unproven("faults") == ["postgresql", "chromium"]
