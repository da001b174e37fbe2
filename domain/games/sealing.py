"""Shared secrets at rest: sealed with a key that is not in the database (decisions/0016).

The key is derived from the pepper of the phone keys, under a purpose of its own, so that a rotation
of phone keys leaves these secrets as they are. They are replaced by rotating the partner's key.
"""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.members import phone_vault

_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"partner-secrets"


def seal(secret: bytes, *, bound_to: UUID) -> bytes:
    """Nonce and ciphertext (AES-256-GCM); it opens only together with the id of its row."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _sealing().encrypt(nonce, secret, bound_to.bytes)


def unseal(content: bytes, *, bound_to: UUID) -> bytes:
    """The secret. Content that was altered, or of another row, raises InvalidTag."""
    nonce, sealed = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
    return _sealing().decrypt(nonce, sealed, bound_to.bytes)


def _sealing() -> AESGCM:
    return AESGCM(phone_vault().derived(_PURPOSE))
