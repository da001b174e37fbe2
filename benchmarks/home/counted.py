"""The gateway, served as ever, that counts what it calls: `python -m benchmarks.home.counted FILE`.

Calls of functions, Python's and C's, by the main thread: as many on a busy machine as on a quiet
one. SIGUSR1 begins to count, SIGUSR2 writes the count into FILE and ends it.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

from api.cli.serving import serve


class Counting:
    """Counts from `begin` to `end`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._calls = 0

    def begin(self, _: int, __: FrameType | None) -> None:
        self._calls = 0
        sys.setprofile(self._count)

    def end(self, _: int, __: FrameType | None) -> None:
        sys.setprofile(None)
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(str(self._calls))
        unfinished.rename(self._file)

    def _count(self, _: FrameType, event: str, __: object) -> None:
        # The others are returns.
        if event in {"call", "c_call"}:
            self._calls += 1


def main() -> None:
    """Serve until a signal ends it."""
    counting = Counting(Path(sys.argv[1]))
    signal.signal(signal.SIGUSR1, counting.begin)
    signal.signal(signal.SIGUSR2, counting.end)
    serve()


if __name__ == "__main__":
    main()
