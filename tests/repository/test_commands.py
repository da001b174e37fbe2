"""The Makefile says what it offers, and CI runs the same two commands as a newcomer."""

from __future__ import annotations

import re
import subprocess

import orjson

from tests.closing import REQUIRED
from tests.repository.tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
PROMISED = set(
    "run test conformance faults check lint migrate lock bench soak clean help".split()  # noqa: SIM905
)


def phony_targets() -> set[str]:
    (declared,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, flags=re.MULTILINE)
    return set(declared.split())


def test_every_target_has_one_line_of_help_and_help_is_the_default() -> None:
    """Run without an environment of Python's, as on a fresh machine."""
    assert phony_targets() >= PROMISED
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines = dict(re.findall(r"^  make ([\w-]+) +(\S.*)$", shown, flags=re.MULTILINE))
    assert lines.keys() == phony_targets()
    assert len(shown.splitlines()) == len(lines)


def test_ci_runs_the_gate_and_every_test_with_every_part() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "it is executable"
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    commands = [line for line in lines if re.search(r"\bmake ", line) and line[0] != "#"]
    assert commands == [
        "make check",
        "JIFEN_REQUIRE_ALL_PARTS=1 make conformance",
        "JIFEN_REQUIRE_ALL_PARTS=1 make faults",
        "JIFEN_REQUIRE_ALL_PARTS=1 make test",
    ]
    assert lines[-1] == commands[-1]


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_marker_that_test_leaves_out_has_a_command_of_its_own() -> None:
    (left_out,) = re.findall(r"-m '(not [^']+)' \$\(ARGS\)", MAKEFILE)
    markers = {word for word in left_out.split() if word not in {"not", "and"}}
    assert markers == REQUIRED.keys()
    for marker in markers:
        rule = rf"^{marker}: .*\n\t@\$\(PY\) -m pytest -m {marker}\b"
        assert re.search(rule, MAKEFILE, re.MULTILINE)


def test_the_lock_of_other_peoples_clients_names_no_registry_and_pins_all() -> None:
    folder = ROOT / "tests" / "conformance"
    lock = (folder / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    packages = orjson.loads(lock)["packages"]
    wanted = orjson.loads((folder / "package.json").read_bytes())["dependencies"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is pinned exactly"
        assert packages[f"node_modules/{name}"]["version"] == version
    unproven = [name for name, one in packages.items() if name and "integrity" not in one]
    assert unproven == []
