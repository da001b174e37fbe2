"""A store of whole files: one appears when it is complete, and goes when it is deleted.

A folder on a disk. Where the gateway or its workers run on several machines, all must see the same
folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9]+)?")
_UNFINISHED: Final = ".part"


class FileStore:
    """Files by name: small letters, digits, `_` and `-`, and one ending."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file to write into, which has this name once the block has ended well.

        Until then nobody finds it, and where the block raises nothing is left of it.
        """
        final = self._path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = final.with_name(f"{name}{_UNFINISHED}")
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def find(self, name: str) -> Path | None:
        """Where the file is; None when there is none of this name."""
        path = self._path(name)
        return path if path.is_file() else None

    def delete(self, name: str) -> None:
        """Delete the file, finished or not; there need not be one."""
        path = self._path(name)
        path.unlink(missing_ok=True)
        path.with_name(f"{name}{_UNFINISHED}").unlink(missing_ok=True)

    def names(self, *, before: datetime) -> list[str]:
        """The files, finished or not, that were last written to before this moment."""
        if not self.folder.is_dir():
            return []
        return sorted(
            {
                entry.name.removesuffix(_UNFINISHED)
                for entry in self.folder.iterdir()
                if entry.is_file()
                and datetime.fromtimestamp(entry.stat().st_mtime, tz=UTC) < before
            }
        )

    def _path(self, name: str) -> Path:
        assert _NAME.fullmatch(name), f"no name of a file: {name!r}"
        return self.folder / name
