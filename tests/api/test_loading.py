"""What a process does not load before it needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "matplotlib")

LOADED = f"""
import sys
{{statement}}
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""


@pytest.mark.parametrize(
    "statement", ["import gateway", "import api.cli.commands", "import api.workers.running"]
)
def test_nothing_heavy_is_loaded_at_the_start(statement: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert loaded.stdout.split() == []


def test_what_trains_would_be_seen() -> None:
    statement = "import domain.recommendations.scoring.engine"
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert loaded.stdout.split() == ["numpy", "scipy"]
