"""The keys that sign access tokens, as values: their states, their JSON, their rotation.

A key is *published* first, so that whoever keeps a copy of the public keys learns of it before it
is used; then it is *signing*, the only one that does; then *retired*: its signatures still count
until the longest-lived token it may have signed has expired. The JSON is a JWK set (RFC 7517, RFC
8037) of private keys with four members of ours: `state`, `published_at`, `signing_since` and
`retired_at`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class KeySetInvalid(ValueError):
    """Raised when a key set is missing, broken or open to others; the text says which and where."""


class KeyState(StrEnum):
    """What a key is used for now."""

    PUBLISHED = "published"
    SIGNING = "signing"
    RETIRED = "retired"


class Rotation(StrEnum):
    """What one step of a rotation did."""

    PUBLISHED = "published"
    """A new key was published; it will sign once everybody can have seen it."""

    WAITING = "waiting"
    """The published key is too young to sign; nothing changed."""

    SIGNING = "signing"
    """The published key signs from now on, and the one before it is retired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLifetimes:
    """How long keys wait and count.

    `token_life_max` bounds every access token and so how long a retired key verifies; `lead` is how
    long a key is published before it may sign, longer than anybody keeps a copy of the JWKS.
    """

    token_life_max: timedelta = timedelta(days=1)
    lead: timedelta = timedelta(minutes=15)
    leeway: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One Ed25519 key pair and its life so far. Moments are aware UTC."""

    private: Ed25519PrivateKey = field(repr=False, compare=False)
    public: Ed25519PublicKey = field(repr=False, compare=False)
    kid: str
    state: KeyState
    published_at: datetime
    signing_since: datetime | None = None
    retired_at: datetime | None = None

    def verifies(self, now: datetime, lifetimes: KeyLifetimes) -> bool:
        """Whether a signature of this key counts: always, until it is retired for long enough."""
        if self.retired_at is None:
            return True
        return now <= self.retired_at + lifetimes.token_life_max + lifetimes.leeway


KeySet = tuple[Key, ...]
"""All keys by age, exactly one of them signing."""


def new_key(now: datetime) -> Key:
    """A fresh key pair, published now."""
    return _key(Ed25519PrivateKey.generate(), state=KeyState.PUBLISHED, published_at=now)


def first_key_set(key: Key, now: datetime) -> KeySet:
    """A set whose only key signs at once: nobody can hold a copy of an older one."""
    return (replace(key, state=KeyState.SIGNING, signing_since=now),)


def rotated(
    keys: KeySet, *, fresh: Callable[[], Key], now: datetime, lifetimes: KeyLifetimes
) -> tuple[KeySet, Rotation]:
    """The set after one step: publish a fresh key, or promote the one that waited long enough.

    Keys whose signatures no longer count are forgotten on the way.
    """
    kept = tuple(key for key in keys if key.verifies(now, lifetimes))
    waiting = next((key for key in kept if key.state is KeyState.PUBLISHED), None)
    if waiting is None:
        return (*kept, fresh()), Rotation.PUBLISHED
    if now < waiting.published_at + lifetimes.lead:
        return kept, Rotation.WAITING
    return tuple(_promoted(key, waiting, now) for key in kept), Rotation.SIGNING


def _promoted(key: Key, successor: Key, now: datetime) -> Key:
    if key is successor:
        return replace(key, state=KeyState.SIGNING, signing_since=now)
    if key.state is KeyState.SIGNING:
        return replace(key, state=KeyState.RETIRED, retired_at=now)
    return key


def public_jwk(key: Key) -> dict[str, str]:
    """The public half as the JWKS shows it."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": encode(key.public.public_bytes_raw()),
        "kid": key.kid,
        "alg": "EdDSA",
        "use": "sig",
    }


def to_json(keys: KeySet) -> bytes:
    """The whole set, private halves included."""
    return orjson.dumps({"keys": [_private_jwk(key) for key in keys]}, option=orjson.OPT_INDENT_2)


def from_json(text: bytes) -> KeySet:
    """The set that `to_json` wrote; KeySetInvalid when it is not one, or was altered."""
    try:
        keys = tuple(_from_jwk(jwk) for jwk in orjson.loads(text)["keys"])
    except (ValueError, TypeError, KeyError, binascii.Error) as broken:
        raise KeySetInvalid(f"not a key set: {broken!r}") from None
    if sum(key.state is KeyState.SIGNING for key in keys) != 1:
        raise KeySetInvalid("a key set needs exactly one key whose state is signing")
    return keys


def thumbprint(public: Ed25519PublicKey) -> str:
    """The key's JWK thumbprint (RFC 7638, SHA-256), which serves as its `kid`."""
    x = encode(public.public_bytes_raw())
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return encode(hashlib.sha256(canonical.encode()).digest())


def encode(raw: bytes) -> str:
    """Base64url without padding, as JOSE has it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The reverse of `encode`; ValueError for anything that `encode` does not give."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:
        raise ValueError("not canonical base64url")
    return raw


def _private_jwk(key: Key) -> dict[str, Any]:
    return public_jwk(key) | {
        "d": encode(key.private.private_bytes_raw()),
        "state": key.state,
        "published_at": key.published_at,
        "signing_since": key.signing_since,
        "retired_at": key.retired_at,
    }


def _from_jwk(jwk: dict[str, Any]) -> Key:
    key = _key(
        Ed25519PrivateKey.from_private_bytes(decode(jwk["d"])),
        state=KeyState(jwk["state"]),
        published_at=_moment(jwk["published_at"]),
        signing_since=_moment(jwk["signing_since"]) if jwk["signing_since"] else None,
        retired_at=_moment(jwk["retired_at"]) if jwk["retired_at"] else None,
    )
    if public_jwk(key) != {name: jwk[name] for name in public_jwk(key)}:
        raise ValueError(f"the public half of key {jwk['kid']} does not belong to its private half")
    if (key.state is KeyState.RETIRED) != (key.retired_at is not None):
        raise ValueError(f"the state and the moments of key {key.kid} contradict each other")
    return key


def _key(
    private: Ed25519PrivateKey,
    *,
    state: KeyState,
    published_at: datetime,
    signing_since: datetime | None = None,
    retired_at: datetime | None = None,
) -> Key:
    public = private.public_key()
    return Key(
        private=private,
        public=public,
        kid=thumbprint(public),
        state=state,
        published_at=published_at,
        signing_since=signing_since,
        retired_at=retired_at,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the moment {text} has no time zone")
    return moment.astimezone(UTC)
