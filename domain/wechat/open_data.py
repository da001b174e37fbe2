"""Open data: what a mini-program hands over encrypted or signed with the session key. Pure.

Source: https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/signature.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from domain.wechat.credentials import SessionKey

_BLOCK_BYTES: Final = 16
_ENCRYPTED_CHARACTERS_MAX: Final = 64 * 1024
_CLOCK_DIFFERENCE_MAX: Final = timedelta(minutes=5)


class OpenDataFault(StrEnum):
    """Why open data is not believed."""

    UNREADABLE = "unreadable"
    """Not encrypted with this session key, or damaged. One reason for all of it: telling wrong
    padding from wrong JSON would help whoever tries to decrypt what is not theirs."""

    OTHER_APP = "other_app"
    """The watermark names another app: data of another mini-program is being replayed."""

    NOT_RECENT = "not_recent"
    """The watermark is older than allowed, or lies in the future."""


class OpenDataInvalid(Exception):
    """The encrypted data is not what WeChat gave this user in this app just now."""

    def __init__(self, reason: OpenDataFault) -> None:
        super().__init__(reason.value)
        self.reason = reason


def decrypt_open_data(
    encrypted: str,
    *,
    iv: str,
    session_key: SessionKey,
    app_id: str,
    now: datetime,
    age_max: timedelta,
) -> dict[str, Any]:
    """The fields of `encryptedData`, watermark included, as WeChat wrote them.

    `encrypted` and `iv` are base64 as the client received them (AES-128-CBC, PKCS#7). Raises
    `OpenDataInvalid`. The watermark must name `app_id` and be at most `age_max` old at `now`
    (aware UTC); five minutes of difference between the clocks are allowed for.
    """
    fields = _object_of(_decrypt(encrypted, iv=iv, session_key=session_key))
    watermark = fields.get("watermark")
    if not isinstance(watermark, dict) or type(watermark.get("timestamp")) is not int:
        raise OpenDataInvalid(OpenDataFault.UNREADABLE)
    if watermark.get("appid") != app_id:
        raise OpenDataInvalid(OpenDataFault.OTHER_APP)
    try:
        marked_at = datetime.fromtimestamp(watermark["timestamp"], tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise OpenDataInvalid(OpenDataFault.NOT_RECENT) from None
    if not -_CLOCK_DIFFERENCE_MAX <= now - marked_at <= age_max:
        raise OpenDataInvalid(OpenDataFault.NOT_RECENT)
    return fields


def raw_data_signature(raw_data: str, *, session_key: SessionKey) -> str:
    """The signature WeChat gives with `rawData`: sha1(rawData + session_key), 40 hex digits."""
    # WeChat prescribes SHA-1; what it signs is a profile text, and a client cannot choose the key.
    text = raw_data + session_key.reveal()
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def is_raw_data_signed(raw_data: str, *, signature: str, session_key: SessionKey) -> bool:
    """Whether WeChat signed this `rawData` for the session, in constant time."""
    expected = raw_data_signature(raw_data, session_key=session_key)
    return hmac.compare_digest(expected.encode(), signature.encode())


def _decrypt(encrypted: str, *, iv: str, session_key: SessionKey) -> bytes:
    if len(encrypted) > _ENCRYPTED_CHARACTERS_MAX:
        raise OpenDataInvalid(OpenDataFault.UNREADABLE)
    try:
        key = _from_base64(session_key.reveal())
        vector = _from_base64(iv)
        # A key of another length would select another cipher than the documented AES-128.
        if len(key) != _BLOCK_BYTES:
            raise OpenDataInvalid(OpenDataFault.UNREADABLE)
        decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
        padded = decryptor.update(_from_base64(encrypted)) + decryptor.finalize()
        unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise OpenDataInvalid(OpenDataFault.UNREADABLE) from None


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _object_of(plain: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(plain)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise OpenDataInvalid(OpenDataFault.UNREADABLE)
    return fields
