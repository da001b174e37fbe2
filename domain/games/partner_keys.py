"""The keys of partner platforms: what they sign with, and what they get tokens for.

A partner holds at most two keys of a kind at once, so that it can go over from one to the next
while both count. Public keys come from the partner. Secrets are made here and told once: a shared
one is kept sealed, for signatures are verified with it; of a client secret only the hash is kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.errors import (
    InvalidInput,
    PartnerKeyLimitReached,
    PartnerKeyUnknown,
    PartnerUnknown,
)
from domain.games.sealing import seal, unseal
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import is_storable

CODE_CHARACTERS_MAX: Final = 64
KEYS_OF_A_KIND_MAX: Final = 2
SECRET_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 32
PUBLIC_KEY_CHARACTERS_MAX: Final = 1_024


class KeyKind(StrEnum):
    """What a key is for."""

    ED25519 = "ED25519"
    """Signs requests (`v1a`): the partner's public key."""
    HMAC = "HMAC"
    """Signs requests (`v1`), and what is sent to the partner: a secret that both know."""
    JWT = "JWT"
    """Signs assertions for tokens (`private_key_jwt`): the partner's public key."""
    CLIENT_SECRET = "CLIENT_SECRET"  # noqa: S105 - the name of a kind
    """Gets tokens where the partner cannot sign assertions."""

    @property
    def is_public(self) -> bool:
        """Whether the partner gives its public half; otherwise a secret is made for it."""
        return self in {KeyKind.ED25519, KeyKind.JWT}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerKey:
    """One key of a partner. It counts until `retires_at`, for ever where there is none.

    `material` is the public key, a sealed secret, or the hash of one.
    """

    id: UUID
    account_id: UUID
    kind: KeyKind
    material: bytes = field(repr=False)
    added_at: datetime
    retires_at: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Whether the key is good at this moment."""
        return self.retires_at is None or now < self.retires_at

    @property
    def public_key(self) -> str | None:
        """The public key as its owner may compare it, `whpk_…`; None for secrets."""
        if not self.kind.is_public:
            return None
        return f"whpk_{base64.b64encode(self.material).decode()}"

    def secret(self) -> bytes:
        """The shared secret of an HMAC key, opened. A row that was altered raises InvalidTag."""
        assert self.kind is KeyKind.HMAC, "only shared secrets are kept to be opened"
        return unseal(self.material, bound_to=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPartnerKey:
    """Give a partner a key: its own public one, or a secret that is made for it."""

    code: str
    kind: KeyKind
    public_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded:
    """The key, and its secret where one was made: nobody can read it again."""

    key: PartnerKey
    secret: str | None = field(default=None, repr=False)


async def add_partner_key(command: AddPartnerKey, *, by: Actor, now: datetime) -> KeyAdded:
    """Add a key. The same public key again is answered with the key that it made.

    Refused: PartnerUnknown, PartnerKeyLimitReached, InvalidInput (not such a public key).
    """
    public = _public_key(command)

    async def work() -> KeyAdded:
        partner_id = await _locked_partner(command.code)
        mine = [one for one in await keys_of(partner_id) if one.counts(now)]
        of_kind = [one for one in mine if one.kind is command.kind]
        known = next((one for one in of_kind if one.material == public), None)
        if known is not None:
            _record(by, "partner_key.add", command.code, known, now=now)
            return KeyAdded(key=known)
        if len(of_kind) >= KEYS_OF_A_KIND_MAX:
            raise PartnerKeyLimitReached(field=("kind",), limit=KEYS_OF_A_KIND_MAX)
        added = _made(partner_id, command.kind, public, now=now)
        await execute(
            "INSERT INTO partner_key (id, account_id, kind, material, added_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(added.key.id, partner_id, added.key.kind.value, added.key.material, now),
        )
        _record(by, "partner_key.add", command.code, added.key, now=now)
        return added

    return await transaction(work)


async def retire_partner_key(
    code: str, key_id: UUID, *, at: datetime | None = None, by: Actor, now: datetime
) -> PartnerKey:
    """Let the key count until `at`, or no longer; a moment that has passed is now.

    A retirement can be brought forward, never put off. Refused: PartnerUnknown, PartnerKeyUnknown.
    """

    async def work() -> PartnerKey:
        partner_id = await _locked_partner(code)
        key = next((one for one in await keys_of(partner_id) if one.id == key_id), None)
        if key is None:
            raise PartnerKeyUnknown(field=("key_id",))
        wanted = max(at or now, now)
        retires_at = wanted if key.retires_at is None else min(wanted, key.retires_at)
        await execute("UPDATE partner_key SET retires_at = $2 WHERE id = $1", key_id, retires_at)
        row = await fetch_one("SELECT * FROM partner_key WHERE id = $1", key_id)
        assert row is not None, "it was read above, and keys are never deleted"
        retired = key_of_row(row)
        _record(by, "partner_key.retire", code, retired, now=now)
        return retired

    return await transaction(work)


async def keys_of(account_id: UUID) -> list[PartnerKey]:
    """All keys of the partner, retired ones too, oldest first."""
    rows = await fetch_all(
        "SELECT * FROM partner_key WHERE account_id = $1 ORDER BY id", account_id
    )
    return [key_of_row(row) for row in rows]


async def newest_keys(account_id: UUID, *, count: int) -> list[PartnerKey]:
    """The partner's newest keys, retired ones too, the newest first."""
    rows = await fetch_all(
        "SELECT * FROM partner_key WHERE account_id = $1 ORDER BY id DESC LIMIT $2",
        *(account_id, count),
    )
    return [key_of_row(row) for row in rows]


def hash_of_secret(secret: str) -> bytes:
    """What is kept of a client secret. It is random, so that a plain hash tells nothing."""
    return hashlib.sha256(secret.encode()).digest()


def key_of_row(row: Row) -> PartnerKey:
    """The key in a row of `partner_key`."""
    return PartnerKey(
        id=row["id"],
        account_id=row["account_id"],
        kind=KeyKind(row["kind"]),
        material=bytes(row["material"]),
        added_at=row["added_at"],
        retires_at=row["retires_at"],
    )


async def _locked_partner(code: str) -> UUID:
    """The partner's account id, locked, so that of two additions at once one sees the other's."""
    row = None
    if is_storable(code, characters_max=CODE_CHARACTERS_MAX):
        row = await fetch_one(
            "SELECT account_id FROM partner WHERE code = $1 FOR NO KEY UPDATE", code
        )
    if row is None:
        raise PartnerUnknown(field=("code",))
    partner_id: UUID = row["account_id"]
    return partner_id


def _made(account_id: UUID, kind: KeyKind, public: bytes | None, *, now: datetime) -> KeyAdded:
    key_id, secret = uuid7(), secrets.token_bytes(SECRET_BYTES)
    told: str | None
    match kind:
        case KeyKind.HMAC:
            told, material = (
                f"whsec_{base64.b64encode(secret).decode()}",
                seal(secret, bound_to=key_id),
            )
        case KeyKind.CLIENT_SECRET:
            told = f"jfcs_{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}"
            material = hash_of_secret(told)
        case _:
            assert public is not None, "it was read before"
            told, material = None, public
    key = PartnerKey(id=key_id, account_id=account_id, kind=kind, material=material, added_at=now)
    return KeyAdded(key=key, secret=told)


def _public_key(command: AddPartnerKey) -> bytes | None:
    """The 32 bytes of the public key of a kind that has one; None for the others."""
    given = command.public_key
    if not command.kind.is_public:
        if given is not None:
            raise InvalidInput(field=("public_key",), rule="left out: the secret is made here")
        return None
    raw = None if given is None else _ed25519(given[: PUBLIC_KEY_CHARACTERS_MAX + 1].strip())
    if raw is None:
        rule = "an Ed25519 public key: whpk_ and base64 of 32 bytes, or PEM"
        raise InvalidInput(field=("public_key",), rule=rule)
    return raw


def _ed25519(text: str) -> bytes | None:
    """The bytes of an Ed25519 public key as `whpk_…` or PEM; None for anything else."""
    try:
        if text.startswith("-----BEGIN"):
            key: Any = load_pem_public_key(text.encode())
            raw = key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else b""
        else:
            raw = base64.b64decode(text.removeprefix("whpk_"), validate=True)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return None
    # A key of small order would take forged signatures for good, in whichever form it came.
    return raw if len(raw) == PUBLIC_KEY_BYTES and raw not in _WEAK else None


# The points of small order on edwards25519, in each encoding that libraries read.
_WEAK: Final = frozenset(
    bytes.fromhex(one)
    for one in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)


def _record(by: Actor, action: str, code: str, key: PartnerKey, *, now: datetime) -> None:
    """Tell the log of a key: its id and its kind, never a secret."""
    after = {
        "key": str(key.id),
        "kind": key.kind.value,
        "retiresAt": None if key.retires_at is None else key.retires_at.isoformat(),
    }
    audit.record(by, action, target=Target(kind="partner", id=code), after=after, now=now)
