"""Message push: what WeChat posts to us, and how we know that it was WeChat. Pure.

Two modes exist. In the plain mode `signature` covers token, timestamp and nonce only, so it proves
who knows the token but not what the body says. In the secure mode the body holds `Encrypt`, and
`msg_signature` covers it too: use this mode in production, and check `msg_signature` in it.

Source: https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
(JSON format; the XML format of the same page is not supported.)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_AES_KEY_BYTES: Final = 32
_ENCODED_KEY_CHARACTERS: Final = 43
_PADDING_BLOCK_BITS: Final = 256
"""WeChat pads to the key's length, 32 bytes, and not to the 16 bytes of an AES block."""

_RANDOM_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_PUSH_BYTES_MAX: Final = 1024 * 1024


class PushInvalid(Exception):
    """The push cannot be decrypted with this app's key, or is meant for another app."""


def push_signature(*, token: str, timestamp: str, nonce: str, encrypted: str | None = None) -> str:
    """The documented signature: sha1 over the parts in sorted order, 40 hex digits.

    With `encrypted` it is the `msg_signature` of the secure mode, without it the `signature` of the
    plain mode and of the URL verification, whose answer is the `echostr` as it came.
    """
    parts = [token, timestamp, nonce] if encrypted is None else [token, timestamp, nonce, encrypted]
    text = "".join(sorted(parts))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def is_push_signed(
    *, signature: str, token: str, timestamp: str, nonce: str, encrypted: str | None = None
) -> bool:
    """Whether the signature is WeChat's, in constant time. Freshness is for the caller to judge."""
    expected = push_signature(token=token, timestamp=timestamp, nonce=nonce, encrypted=encrypted)
    return hmac.compare_digest(expected.encode(), signature.encode())


@dataclass(frozen=True, slots=True)
class PushCipher:
    """The secure mode of one app: AES-256-CBC, the first half of the key as initial vector.

    `encoding_aes_key` is the EncodingAESKey of the console, 43 characters.
    """

    app_id: str
    encoding_aes_key: str = field(repr=False)

    def __post_init__(self) -> None:
        well_formed = len(self.encoding_aes_key) == _ENCODED_KEY_CHARACTERS
        if not well_formed or len(self._key) != _AES_KEY_BYTES:
            raise ValueError("EncodingAESKey must be 43 characters of base64")

    def decrypt(self, encrypted: str) -> bytes:
        """The message inside `Encrypt`. Raises `PushInvalid`, with one text for every cause."""
        if len(encrypted) > _PUSH_BYTES_MAX:
            raise PushInvalid("the push is too large")
        try:
            decryptor = self._cipher().decryptor()
            sealed = base64.b64decode(encrypted, validate=True)
            unpadder = PKCS7(_PADDING_BLOCK_BITS).unpadder()
            padded = decryptor.update(sealed) + decryptor.finalize()
            plain = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise PushInvalid("the push is not for this app or is damaged") from None
        start = _RANDOM_BYTES + _LENGTH_BYTES
        end = start + int.from_bytes(plain[_RANDOM_BYTES:start], "big")
        if len(plain) < start or plain[end:] != self.app_id.encode():
            raise PushInvalid("the push is not for this app or is damaged")
        return plain[start:end]

    def encrypt(self, message: bytes, *, random: bytes | None = None) -> str:
        """The `Encrypt` of an answer. `random` is 16 bytes; fresh ones are drawn when None."""
        salt = secrets.token_bytes(_RANDOM_BYTES) if random is None else random
        if len(salt) != _RANDOM_BYTES:
            raise ValueError("random must be 16 bytes")
        length = len(message).to_bytes(_LENGTH_BYTES, "big")
        padder = PKCS7(_PADDING_BLOCK_BITS).padder()
        padded = padder.update(salt + length + message + self.app_id.encode()) + padder.finalize()
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    @property
    def _key(self) -> bytes:
        try:
            return base64.b64decode(self.encoding_aes_key + "=", validate=True)
        except (binascii.Error, ValueError):
            return b""

    def _cipher(self) -> Cipher[modes.CBC]:
        # The documented construction takes the vector from the key; the 16 random bytes in front
        # of the message do what a random vector would.
        key = self._key
        return Cipher(algorithms.AES(key), modes.CBC(key[:_RANDOM_BYTES]))
