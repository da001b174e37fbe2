"""The gateway, served as ever, that tells where its processor time goes:
`python -m benchmarks.home.sampled FILE`.

SIGPROF comes every two milliseconds of processor time; the stack that it meets is counted. SIGUSR1
forgets what was counted, SIGUSR2 writes it into FILE. What C code spends is counted to the Python
function that called it, or to the next one that runs.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

import orjson

from api.cli.serving import serve
from domain import storage
from domain.storage import Statement
from tests.repository.tree import ROOT

INTERVAL_S: Final = 0.002
_OWN: Final = f"{ROOT}{os.sep}"


class Sampling:
    """What was met since the last reset. A stack is its frames, the outermost first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._names: dict[object, str] = {}
        self._reset()

    def _reset(self) -> None:
        self.stacks: Counter[str] = Counter()
        self.statements: Counter[str] = Counter()
        self.statements_s = self.waits_s = self.collecting_s = self.collection_s_max = 0.0
        self._collecting_since = 0.0
        self._began_s = time.process_time()

    def statement_ended(self, statement: Statement) -> None:
        self.statements[" ".join(statement.text.split())] += 1
        self.statements_s += statement.duration_s

    def connection_awaited(self, waited_s: float, *, granted: bool) -> None:
        self.waits_s += waited_s

    def collecting(self, phase: str, _: dict[str, int]) -> None:
        """The garbage collector begins or ends; whoever happens to run is not to blame."""
        if phase == "start":
            self._collecting_since = time.process_time()
            return
        took_s = time.process_time() - self._collecting_since
        self.collecting_s += took_s
        self.collection_s_max = max(self.collection_s_max, took_s)

    def sample(self, _: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            code = frame.f_code
            name = self._names.get(code)
            if name is None:
                name = self._names[code] = _name(code.co_filename, code.co_qualname)
            names.append(name)
            frame = frame.f_back
        self.stacks[";".join(reversed(names))] += 1

    def forget(self, _: int, __: FrameType | None) -> None:
        self._reset()

    def write(self, _: int, __: FrameType | None) -> None:
        told = {
            "processor_s": time.process_time() - self._began_s,
            "stacks": self.stacks,
            "statements": self.statements,
            "statements_s": self.statements_s,
            "waits_s": self.waits_s,
            "collecting_s": self.collecting_s,
            "collection_s_max": self.collection_s_max,
        }
        unfinished = self._file.with_suffix(".part")
        unfinished.write_bytes(orjson.dumps(told))
        unfinished.rename(self._file)


def _name(file: str, function: str) -> str:
    """`package/module.py:Class.function`, without where it is installed."""
    _, installed, inside = file.rpartition("/site-packages/")
    if not installed:
        _, library, inside = file.rpartition("/python3.11/")
        inside = inside if library else file.removeprefix(_OWN)
    return f"{inside}:{function}"


def main() -> None:
    """Serve until a signal ends it."""
    sampling = Sampling(Path(sys.argv[1]))
    storage.listen(sampling)
    gc.callbacks.append(sampling.collecting)
    signal.signal(signal.SIGPROF, sampling.sample)
    signal.signal(signal.SIGUSR1, sampling.forget)
    signal.signal(signal.SIGUSR2, sampling.write)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    serve()


if __name__ == "__main__":
    main()
