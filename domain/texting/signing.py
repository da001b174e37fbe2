"""Signatures of what we send to the merchant's services, as Standard Webhooks has them (v1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"
_KEY_BYTES_MIN: Final = 24
_KEY_BYTES_MAX: Final = 64


def key_of(secret: str) -> bytes:
    """The key in a secret `whsec_…`, base64 of 24 to 64 bytes; ValueError for anything else."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:  # binascii.Error is one; so is what is told of a letter that is not ASCII.
        key = b""
    if not secret.startswith(_PREFIX) or not _KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        raise ValueError("must be whsec_ and the base64 of 24 to 64 random bytes")
    return key


def signature(key: bytes, *, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature` for a message with this id, moment and body."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
