"""A file of secrets: closed to others, replaced whole, written by one at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_OPEN_TO_OTHERS: Final = 0o027
"""Writable by the group, or anything at all for others. A group may read a mounted secret."""

_LOCK_WAIT_S: Final = 5.0
_LOCK_PAUSE_S: Final = 0.01

SecretStamp = tuple[int, int, int]
"""What changes when the file does: inode, modification time in nanoseconds, size."""


class SecretFileUnusable(ValueError):
    """Raised when a file of secrets is missing or open to others; the text says which and where."""


def secret_stamp(path: Path) -> SecretStamp | None:
    """The stamp of the file as it is now; None when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_secret(path: Path) -> bytes:
    """What the file holds; SecretFileUnusable when it is missing or open to others."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as failure:
        raise SecretFileUnusable(f"{path} cannot be read: {failure.strerror}") from failure
    if mode & _OPEN_TO_OTHERS:
        raise SecretFileUnusable(f"{path} is open to others: chmod 600 {path}")
    return text


def write_secret(path: Path, text: bytes) -> None:
    """Replace the file in one step: a reader finds the old one or the new one, never a part."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def secret_lock(path: Path) -> Iterator[None]:
    """Hold the lock beside the file while reading, deciding and writing. Waits at most 5 s.

    The lock is a file of its own, because the file itself is replaced and not written into.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)  # Which lets go of the lock too.


def _lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process keeps the lock of {path}") from None
            time.sleep(_LOCK_PAUSE_S)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, so that a power cut cannot bring the old file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
