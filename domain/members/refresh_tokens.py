"""The text of refresh tokens: opaque to clients, and good for finding the one row they stand for.

`jrt_` and the base64url of member id, session id and 32 random bytes. The ids lead to the rows by
their primary keys; the random bytes are the secret. Only the SHA-256 of the whole text is stored:
a secret of 256 bits needs no slower hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

_PREFIX: Final = "jrt_"
_SECRET_BYTES: Final = 32
_BYTES: Final = 16 + 16 + _SECRET_BYTES
_CHARACTERS: Final = len(_PREFIX) + 86


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One refresh token: whose it is, and its text."""

    member_id: UUID
    session_id: UUID
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        """What is stored of it: 64 hex digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def new_refresh_token(*, member_id: UUID, session_id: UUID) -> RefreshToken:
    """A fresh token of the session."""
    raw = member_id.bytes + session_id.bytes + secrets.token_bytes(_SECRET_BYTES)
    return RefreshToken(member_id=member_id, session_id=session_id, text=_text(raw))


def parse_refresh_token(text: str) -> RefreshToken | None:
    """The token that `text` spells; None when it can be no token of ours."""
    if len(text) != _CHARACTERS or not text.isascii() or not text.startswith(_PREFIX):
        return None
    try:
        raw = base64.urlsafe_b64decode(text.removeprefix(_PREFIX) + "==")
    except binascii.Error:
        return None
    if len(raw) != _BYTES or _text(raw) != text:
        return None
    return RefreshToken(
        member_id=UUID(bytes=raw[:16]), session_id=UUID(bytes=raw[16:32]), text=text
    )


def _text(raw: bytes) -> str:
    return _PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")
