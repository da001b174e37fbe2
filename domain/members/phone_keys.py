"""The keys that keep phone numbers: a file of them, and what is done with them.

A number is stored twice over: sealed (AES-256-GCM), so that only we can read it, and as a blind
index (HMAC-SHA256), by which it is found again without being read. Keys come in pairs with an id,
one for each; the first pair of the file is the one in use, those after it were in use before and
still open and find what they sealed. Beside them is one pepper, for the digests of how members were
named, which are kept for ever: it is made once, and never another. Nothing here is of use without
the file, nor the file without the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.access import (
    SecretFileUnusable,
    SecretStamp,
    read_secret,
    secret_lock,
    secret_stamp,
    write_secret,
)

_log = structlog.get_logger(__name__)

KEY_BYTES: Final = 32
ID_CHARACTERS: Final = 8
_NONCE_BYTES: Final = 12


class PhoneKeysInvalid(ValueError):
    """Raised when the phone keys are missing, broken or open to others; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneKey:
    """One pair of keys: `sealing` hides numbers, `indexing` finds them."""

    id: str
    sealing: bytes = field(repr=False)
    indexing: bytes = field(repr=False)
    made_at: datetime


PhoneKeys = tuple[PhoneKey, ...]
"""The pair in use first, then those that were."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A number that only the key `key_id` opens: nonce and ciphertext."""

    key_id: str
    content: bytes = field(repr=False)


class PhoneVault:
    """Seals, opens and indexes phone numbers (E.164) with the keys it is given. Pure."""

    def __init__(self, keys: PhoneKeys, *, pepper: bytes | None = None) -> None:
        assert keys, "a vault has a key"
        self.keys = keys
        self._pepper = pepper

    @property
    def key_id(self) -> str:
        """The id of the keys in use."""
        return self.keys[0].id

    def seal(self, phone: str, *, bound_to: bytes) -> Sealed:
        """The number, sealed; it opens only together with `bound_to`, the id of its row."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        content = AESGCM(self.keys[0].sealing).encrypt(nonce, phone.encode(), bound_to)
        return Sealed(self.key_id, nonce + content)

    def open(self, sealed: Sealed, *, bound_to: bytes) -> str:
        """The number. A row that was altered raises cryptography's InvalidTag.

        Raises PhoneKeysInvalid when the key is not in the file any more.
        """
        key = next((key for key in self.keys if key.id == sealed.key_id), None)
        if key is None:
            raise PhoneKeysInvalid(f"the phone keys lack {sealed.key_id}")
        nonce, content = sealed.content[:_NONCE_BYTES], sealed.content[_NONCE_BYTES:]
        return AESGCM(key.sealing).decrypt(nonce, content, bound_to).decode()

    def index(self, phone: str) -> str:
        """The blind index of the number under the keys in use: 64 hex digits."""
        return _keyed(self.keys[0], b"phone", phone)

    def indexes(self, phone: str) -> Sequence[str]:
        """The index under each of the keys, the one in use first: what a look-up asks for."""
        return [_keyed(key, b"phone", phone) for key in self.keys]

    def code_digest(self, code: str, *, salt: str, key_id: str | None = None) -> str | None:
        """What is stored of a sign-in code: whoever reads the database cannot try all codes.

        Under the keys in use, or those with `key_id`; None where there are none.
        """
        wanted = key_id or self.key_id
        key = next((key for key in self.keys if key.id == wanted), None)
        return None if key is None else _keyed(key, b"code", f"{salt}:{code}")

    def name_digest(self, name: bytes) -> str:
        """A digest of how somebody was named, the same under all keys: 64 hex digits."""
        if self._pepper is None:
            raise PhoneKeysInvalid("the phone keys have no pepper")
        return hmac.new(self._pepper, b"name\0" + name, hashlib.sha256).hexdigest()

    def derived(self, purpose: bytes) -> bytes:
        """A key for something else than phones, the same under all keys: 32 bytes.

        Other secrets are sealed with it, so that a rotation of phone keys need not know of them.
        """
        if self._pepper is None:
            raise PhoneKeysInvalid("the phone keys have no pepper")
        return hmac.new(self._pepper, b"derived\0" + purpose, hashlib.sha256).digest()


class PhoneKeyFile:
    """The file of phone keys, read when it is first needed and again whenever it changes.

    It is asked for changes on every use (a `stat`), so that a rotation by any process reaches every
    running worker at once. A file that breaks while a worker runs is reported, and the last good
    keys stay in force. With `create_missing`, for development, a missing file is made, and an older
    one is given a pepper.
    """

    def __init__(self, path: Path, *, now: datetime, create_missing: bool = False) -> None:
        self.path = path
        self._now = now
        self._create_missing = create_missing
        self._seen: SecretStamp | None = None
        self._vault: PhoneVault | None = None

    def vault(self) -> PhoneVault:
        """The keys as they are now. Raises PhoneKeysInvalid when they were never readable."""
        seen = secret_stamp(self.path)
        if self._vault is not None and seen == self._seen:
            return self._vault
        if self._vault is None and self._create_missing:
            create_phone_keys(self.path, now=self._now)
            seen = secret_stamp(self.path)
        try:
            keys, pepper = _read(self.path)
            if pepper is None:
                raise PhoneKeysInvalid(
                    f"{self.path}: phone keys of an older release, which have no pepper: "
                    "`create-keys` gives them one"
                )
            self._vault = PhoneVault(keys, pepper=pepper)
        except PhoneKeysInvalid as broken:
            if self._vault is None:
                raise
            _log.error("phone_keys_not_reloaded", reason=str(broken))
        self._seen = seen
        return self._vault


def new_phone_key(now: datetime) -> PhoneKey:
    """A fresh pair."""
    return PhoneKey(
        id=secrets.token_hex(ID_CHARACTERS // 2),
        sealing=secrets.token_bytes(KEY_BYTES),
        indexing=secrets.token_bytes(KEY_BYTES),
        made_at=now,
    )


def create_phone_keys(path: Path, *, now: datetime) -> bool:
    """Make the file with one pair if it is missing; returns whether it was.

    A file of an older release is given its pepper. Several processes may call it at once: one makes
    the file, the others find it.
    """
    if path.exists():
        add_pepper(path)
        return False
    with secret_lock(path):
        if path.exists():
            return False
        write_phone_keys(path, (new_phone_key(now),))
        return True


def add_pepper(path: Path) -> None:
    """Give a file of an older release its pepper; another file stays as it is.

    Raises PhoneKeysInvalid like `read_phone_keys`.
    """
    if _read(path)[1] is not None:
        return
    with secret_lock(path):
        keys, pepper = _read(path)
        if pepper is None:
            write_phone_keys(path, keys)


def read_phone_keys(path: Path) -> PhoneKeys:
    """The keys in the file; PhoneKeysInvalid when it is missing, broken or open to others."""
    return _read(path)[0]


def _read(path: Path) -> tuple[PhoneKeys, bytes | None]:
    """The keys, and the pepper, which an older file lacks."""
    try:
        text = read_secret(path)
    except SecretFileUnusable as unusable:
        raise PhoneKeysInvalid(f"the file of phone keys {unusable}") from unusable
    try:
        told = orjson.loads(text)
        keys = tuple(_from_json(one) for one in told["keys"])
        pepper = None if "pepper" not in told else _secret(told["pepper"])
    except (ValueError, TypeError, KeyError) as broken:
        raise PhoneKeysInvalid(f"{path}: not phone keys: {broken!r}") from None
    if not keys or len({key.id for key in keys}) != len(keys):
        raise PhoneKeysInvalid(f"{path}: phone keys need one pair at least, and each its own id")
    return keys, pepper


def write_phone_keys(path: Path, keys: PhoneKeys) -> None:
    """Replace the keys in one step; the pepper stays. Where there is none, one is made.

    Raises PhoneKeysInvalid for a file that cannot be read: its pepper is not to be lost.
    """
    pepper = _read(path)[1] if path.exists() else None
    told = [
        {
            "id": key.id,
            "sealing": base64.b64encode(key.sealing).decode(),
            "indexing": base64.b64encode(key.indexing).decode(),
            "made_at": key.made_at,
        }
        for key in keys
    ]
    kept = base64.b64encode(pepper or secrets.token_bytes(KEY_BYTES)).decode()
    write_secret(path, orjson.dumps({"keys": told, "pepper": kept}, option=orjson.OPT_INDENT_2))


_in_force: PhoneKeyFile | None = None


def use_phone_keys(keys: PhoneKeyFile) -> None:
    """Let this process keep phone numbers with these keys; they belong to its one database."""
    global _in_force  # noqa: PLW0603 - there is one database per process, and one file of its keys
    _in_force = keys


def phone_vault() -> PhoneVault:
    """The vault in force. Raises PhoneKeysInvalid when no keys were named, or they are unusable."""
    if _in_force is None:
        raise PhoneKeysInvalid("no phone keys were named: call use_phone_keys first")
    return _in_force.vault()


def _from_json(told: dict[str, str]) -> PhoneKey:
    sealing, indexing = _secret(told["sealing"]), _secret(told["indexing"])
    made_at = datetime.fromisoformat(told["made_at"])
    if len(told["id"]) != ID_CHARACTERS:
        raise ValueError("an id has the wrong length")
    if made_at.tzinfo is None:
        raise ValueError("a moment has no time zone")
    return PhoneKey(
        id=told["id"], sealing=sealing, indexing=indexing, made_at=made_at.astimezone(UTC)
    )


def _secret(text: str) -> bytes:
    secret = base64.b64decode(text, validate=True)
    if len(secret) != KEY_BYTES:
        raise ValueError("a key has the wrong length")
    return secret


def _keyed(key: PhoneKey, purpose: bytes, text: str) -> str:
    return hmac.new(key.indexing, purpose + b"\0" + text.encode(), hashlib.sha256).hexdigest()
