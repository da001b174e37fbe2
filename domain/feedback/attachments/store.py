"""Where the bytes of attachments are kept: one small interface, and a folder that serves it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from domain.files import FileStore


class AttachmentStore(Protocol):
    """Keeps whole files by name: small letters, digits, `_` and `-`, and one ending.

    Whoever runs the gateway on several machines may give it one that all of them see.
    """

    async def put(self, name: str, content: bytes) -> None:
        """Keep the file. Nobody finds a half of it; one of that name is written over."""

    async def open(self, name: str) -> bytes | None:
        """The file; None where there is none of this name."""

    async def delete(self, name: str) -> None:
        """Keep it no longer; there need not be one."""


class AttachmentFolder:
    """A folder of this machine, or one that several machines share."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    async def put(self, name: str, content: bytes) -> None:
        """See `AttachmentStore`."""

        def write() -> None:
            with self._files.writing(name) as file:
                file.write(content)

        await asyncio.to_thread(write)

    async def open(self, name: str) -> bytes | None:
        """See `AttachmentStore`."""

        def read() -> bytes | None:
            path = self._files.find(name)
            return None if path is None else path.read_bytes()

        return await asyncio.to_thread(read)

    async def delete(self, name: str) -> None:
        """See `AttachmentStore`."""
        await asyncio.to_thread(self._files.delete, name)
