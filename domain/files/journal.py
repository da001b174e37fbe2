"""The journal of erasures: who was erased and when, kept outside the database.

A backup of the database brings back those who were erased after it was taken. This journal is what
they are erased by again, so it must not be restored together with the backup.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson

_CUT_OFF: Final = b" (cut off)\n"
"""What ends a line that the one who wrote it did not end: the machine lost its power."""


class JournalUnreadable(ValueError):
    """Raised when a line of the journal is not one that we wrote; the text says which."""


class ErasureJournal:
    """A file with one line per erasure: a random id that leads to nobody, and the moment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, member_ids: Sequence[UUID], *, now: datetime) -> None:
        """Write the lines to the disk. They may be there before, and may stand there twice.

        Several processes may append at once: what one appends is one write.
        """
        lines = b"".join(
            orjson.dumps({"member": one, "at": now}, option=orjson.OPT_UTC_Z) + b"\n"
            for one in member_ids
        )
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = _CUT_OFF + lines
            written = os.write(descriptor, lines)
            assert written == len(lines), "a line is written whole"
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def members(self) -> Iterator[UUID]:
        """All who were erased, each once, in the order of their first line; JournalUnreadable.

        Without a file nobody was. A line without its end was cut off while it was written, and the
        erasure that it tells of was not committed: it is passed over.
        """
        if not self._path.exists():
            return
        seen: set[UUID] = set()
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(_CUT_OFF) or not line.endswith(b"\n"):
                    continue
                member_id = self._member_of(line, number)
                if member_id not in seen:
                    seen.add(member_id)
                    yield member_id

    def _member_of(self, line: bytes, number: int) -> UUID:
        try:
            return UUID(orjson.loads(line)["member"])
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise JournalUnreadable(f"{self._path}, line {number}: no erasure") from wrong
