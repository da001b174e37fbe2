"""Lines sorted in a file rather than in memory: any number of them takes no more room than a few.

Some are sorted at a time and written out as a run; what comes out is all runs, merged.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

RUN_LINES: Final = 10_000
"""So many lines are held in memory, at most, until they are written out."""

_MERGED_BYTES: Final = 128 * 1024
"""What all runs together hold in memory, about, while they are merged."""

_READ_AT_LEAST: Final = 1_024


class SortedLines:
    """Lines without their ends, by their bytes. `spool` is an empty file that nobody else uses."""

    def __init__(self, spool: BinaryIO, *, run_lines: int | None = None) -> None:
        self._spool = spool
        self._run_lines = run_lines or RUN_LINES
        self._runs: list[tuple[int, int]] = []
        self._waiting: list[bytes] = []
        self._read_at_once = _READ_AT_LEAST
        spool.seek(0)
        spool.truncate()

    def add(self, lines: Sequence[bytes]) -> None:
        """Some lines more, in any order; none of them has an end of line in it."""
        self._waiting += lines
        if len(self._waiting) >= self._run_lines:
            self._write_out()

    def merged(self) -> Iterator[bytes]:
        """All lines in order, once everything was added."""
        self._write_out()
        self._read_at_once = max(_READ_AT_LEAST, _MERGED_BYTES // max(len(self._runs), 1))
        return heapq.merge(*(self._run(begin, end) for begin, end in self._runs))

    def _write_out(self) -> None:
        if not self._waiting:
            return
        begin = self._spool.seek(0, 2)
        self._waiting.sort()
        self._spool.writelines(line + b"\n" for line in self._waiting)
        self._runs.append((begin, self._spool.tell()))
        self._waiting = []

    def _run(self, begin: int, end: int) -> Iterator[bytes]:
        """The lines of one run. All runs are read at once, so each says where it goes on."""
        rest = b""
        while begin < end:
            self._spool.seek(begin)
            block = self._spool.read(min(self._read_at_once, end - begin))
            begin += len(block)
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        assert not rest, "a run ends with its last line"
