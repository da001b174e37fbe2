"""Links to files that lead there for a quarter of an hour, for whoever has them.

A link is signed, and nothing is written for it, so a query may answer one. It is Ed25519 over
`jifen-download:1:{id}:{until}` by the key that signs access tokens at that moment; no token and no
receipt begins with those words.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature

from domain.access import KeyRing

LIVES: Final = timedelta(minutes=15)
_PREFIX: Final = "jifen-download:1:"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLink:
    """What proves that whoever brings it was given it: until when (Unix time), signed by a key."""

    file_id: UUID
    until_s: int
    key_id: str
    signature: str

    @property
    def made_s(self) -> int:
        """When it was made (Unix time)."""
        return self.until_s - int(LIVES.total_seconds())

    def is_good(self, *, keys: KeyRing, now: datetime) -> bool:
        """Whether it is ours, and its time is not over."""
        public = keys.verifying_key(self.key_id, now=now)
        if public is None or self.until_s <= now.timestamp():
            return False
        try:
            public.verify(
                base64.urlsafe_b64decode(self.signature + "=="), _words(self.file_id, self.until_s)
            )
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def download_link(file_id: UUID, *, keys: KeyRing, now: datetime) -> DownloadLink:
    """A link to this file."""
    until_s = int((now.astimezone(UTC) + LIVES).timestamp())
    key = keys.signing_key()
    signature = key.private.sign(_words(file_id, until_s))
    return DownloadLink(
        file_id=file_id,
        until_s=until_s,
        key_id=key.kid,
        signature=base64.urlsafe_b64encode(signature).rstrip(b"=").decode(),
    )


def _words(file_id: UUID, until_s: int) -> bytes:
    return f"{_PREFIX}{file_id}:{until_s}".encode()
