"""Whether a server's loop turns all the while: a process of its own asks /livez, again and again.

What is counted is how long the server's thread held an answer back, not how long it waited for a
processor: on a busy machine the kernel tells both apart. Run as
`python -m tests.fuzz.probing URL PID`; ends with its standard input, and prints JSON.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Final
from urllib.parse import urlsplit

from tests.repository.tree import ROOT

PAUSE_S: Final = 0.02
TOLD_MAX: Final = 1_000
"""How many probes are told as they are answered: fewer than what a pipe that nobody reads holds."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many probes were answered, and the longest one in milliseconds."""

    probes: int
    longest_ms: float


class Prober:
    """Probes until it is stopped."""

    def __init__(self, url: str, pid: int) -> None:
        self._process = Popen(
            [sys.executable, "-m", "tests.fuzz.probing", url, str(pid)],
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
        )

    def wait_for(self, probes: int) -> None:
        """Return once so many were answered."""
        assert self._process.stdout is not None
        for _ in range(probes):
            assert self._process.stdout.readline() == b".\n"

    def stop(self) -> Held:
        """End it; what it saw."""
        output, _ = self._process.communicate(timeout=30)
        told = json.loads(output.split(b"\n")[-2])
        return Held(probes=told["probes"], longest_ms=told["longest_ms"])


def waited_s(pid: int | str) -> float:
    """How long the main thread of a process has waited for a processor so far."""
    schedule = f"/proc/{pid}/task/{pid}/schedstat" if pid != "self" else "/proc/self/schedstat"
    return int(Path(schedule).read_text().split()[1]) / 1e9


def main(url: str, pid: int) -> None:
    """Probe until standard input ends."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    probes, longest_s = 0, 0.0
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        waited = waited_s(pid) + waited_s("self")
        started = time.perf_counter()
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        answered = time.perf_counter() - started
        longest_s = max(longest_s, answered - (waited_s(pid) + waited_s("self") - waited))
        probes += 1
        if probes <= TOLD_MAX:
            print(".", flush=True)
    print(json.dumps({"probes": probes, "longest_ms": longest_s * 1_000}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
