"""What processes use, as the operating system counts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM, _OF_ENDED_USER, _OF_ENDED_SYSTEM = 11, 12, 13, 14


def processor_s(pid: int) -> float:
    """The processor time of a process and of all below it, ended ones included, in seconds."""
    return (
        sum(
            sum(int(fields[one]) for one in (_USER, _SYSTEM, _OF_ENDED_USER, _OF_ENDED_SYSTEM))
            for fields in _family(pid)
        )
        / _TICKS
    )


def memory_kib(pid: int) -> int:
    """The resident memory of a process, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def _family(pid: int) -> Iterator[list[str]]:
    parents: dict[int, list[int]] = {}
    stats: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            stats[int(folder.name)] = fields
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, [])
        yield stats[one]
