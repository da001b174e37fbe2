"""The server that is fuzzed: `make run` in a process of its own, with rates that never run out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.graphql.operations import operation
from tests.repository.operations import FOLDER, read_operations
from tests.repository.test_operations import NOT_BUILT_YET
from tests.run.running import MakeRun

BUCKETS: Final = (
    "member",
    "shop",
    "partner",
    "staff",
    "address",
    "sign_in",
    "refresh",
    "refresh_token",
)
RATE: Final = 100_000_000

RATES: Final = {
    f"JIFEN_RATES__{bucket.upper()}__{part}": str(RATE)
    for bucket in BUCKETS
    for part in ("CAPACITY", "RESTORED_PER_MINUTE")
}
"""Settings under which no bucket is ever empty: refused requests would reach nothing."""

TOKENS: Final = ("memberToken", "shopToken", "partnerToken", "staffToken")


def operations_served() -> list[str]:
    """The operations that are built, except the one that would end the member's session."""
    names = read_operations(FOLDER).keys() - NOT_BUILT_YET - {"SignOut"}
    return [operation(name) for name in sorted(names)]


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[MakeRun]:
    """A server that is ready."""
    told: dict[str, Any] = RATES | environment
    run = MakeRun(folder, **told)
    try:
        run.until_ready()
        yield run
        assert run.process.poll() is None, f"the server ended: {run.errors[-4_000:]}"
    finally:
        run.close()


def complaints(run: MakeRun) -> list[str]:
    """What the server logged of faults of its own, each with the lines around it."""
    lines = (run.output + run.errors).splitlines()
    return [
        "\n".join(lines[max(0, number - 3) : number + 60])
        for number, line in enumerate(lines)
        if "Traceback" in line or "internal_error" in line
    ]
