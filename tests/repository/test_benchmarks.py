"""What the benchmarks measure is still there under its name."""

from __future__ import annotations

import pkgutil

from benchmarks import games
from benchmarks.ledger import shares


def test_the_parts_that_are_measured_are_functions() -> None:
    for path in {**shares.PARTS, **games.PARTS}:
        assert callable(pkgutil.resolve_name(path)), path
