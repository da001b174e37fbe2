"""The Makefile says what it offers, and CI runs the same two commands as a newcomer."""

from __future__ import annotations

import re
import subprocess

from tests.repository.tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
PROMISED = {"run", "test", "check", "lint", "migrate", "lock", "bench", "soak", "clean", "help"}


def phony_targets() -> set[str]:
    (declared,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, flags=re.MULTILINE)
    return set(declared.split())


def test_every_target_has_one_line_of_help_and_help_is_the_default() -> None:
    """Run without an environment of Python's, as on a fresh machine."""
    assert phony_targets() >= PROMISED
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines = dict(re.findall(r"^  make (\w+) +(\S.*)$", shown, flags=re.MULTILINE))
    assert lines.keys() == phony_targets()
    assert len(shown.splitlines()) == len(lines)


def test_ci_runs_the_gate_and_every_test_with_every_part() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "it is executable"
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert "make check" in lines
    assert lines[-1] == "JIFEN_REQUIRE_ALL_PARTS=1 make test"


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
