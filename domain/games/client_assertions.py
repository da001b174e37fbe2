"""Assertions by which a partner proves who it is (`private_key_jwt`, RFC 7523), each good once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain.games.partner_keys import KeyKind, PartnerKey
from domain.storage import execute

LIFE_MAX: Final = timedelta(minutes=5)
LEEWAY: Final = timedelta(seconds=30)
"""How far clocks may be apart: the partner's ahead of ours, and those of our gateways."""

ASSERTION_CHARACTERS_MAX: Final = 4_096
_JTI_CHARACTERS_MAX: Final = 256
_CODE_CHARACTERS_MAX: Final = 64
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "jti"]

# Moments are checked here, against the programme's clock and not this machine's.
_OPTIONS: Final[Any] = {
    "require": _REQUIRED,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_sub": False,
    "verify_jti": False,
}


class AssertionInvalid(Exception):
    """Raised when an assertion proves nothing. The text is for our log, never for the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a good assertion says: it is good until `expires_at`, and once."""

    id: str
    expires_at: datetime


def claimed_client(assertion: str) -> str:
    """The code of the partner that an assertion claims to be of. Nothing of it is proved yet."""
    if len(assertion) > ASSERTION_CHARACTERS_MAX or not assertion.isascii():
        raise AssertionInvalid("it is too long, or not ASCII")
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False, "verify_sub": False})
    except (jwt.InvalidTokenError, ValueError) as wrong:
        raise AssertionInvalid("it is no JWT") from wrong
    code = claims.get("sub")
    if not isinstance(code, str) or not 1 <= len(code) <= _CODE_CHARACTERS_MAX:
        raise AssertionInvalid("it has no subject")
    return code


def read_assertion(
    assertion: str,
    *,
    code: str,
    keys: Sequence[PartnerKey],
    audiences: frozenset[str],
    now: datetime,
) -> Assertion:
    """What the assertion of this partner says, signed with one of its keys. AssertionInvalid.

    It is for one of `audiences`, of the partner as issuer and as subject, and for five minutes at
    most.
    """
    claims = _claims(
        assertion, [key for key in keys if key.kind is KeyKind.JWT and key.counts(now)]
    )
    if claims["iss"] != code or claims["sub"] != code:
        raise AssertionInvalid("it is of another client")
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not any(isinstance(one, str) and one in audiences for one in audience):
        raise AssertionInvalid("it is for somebody else")
    expires_at = _moment(claims["exp"])
    if not now < expires_at <= now + LIFE_MAX + LEEWAY:
        raise AssertionInvalid("it has expired, or lives too long")
    for name in ("iat", "nbf"):
        if name in claims and _moment(claims[name]) > now + LEEWAY:
            raise AssertionInvalid("it is not good yet")
    if not isinstance(claims["jti"], str) or not 1 <= len(claims["jti"]) <= _JTI_CHARACTERS_MAX:
        raise AssertionInvalid("it has no id")
    return Assertion(id=claims["jti"], expires_at=expires_at)


async def spend_assertion(account_id: UUID, assertion: Assertion, *, now: datetime) -> None:
    """Use the assertion up, inside the transaction that answers it. AssertionInvalid the next time.

    Those of the partner that have expired are forgotten as soon as no gateway would take them, also
    one whose clock is behind: their moment refuses them by then.
    """
    digest = hashlib.sha256(assertion.id.encode("utf-8", "surrogatepass")).digest()
    spent = await execute(
        "INSERT INTO partner_assertion (account_id, digest, expires_at) VALUES ($1, $2, $3)"
        " ON CONFLICT DO NOTHING",
        *(account_id, digest, assertion.expires_at),
    )
    if spent != 1:
        raise AssertionInvalid("it was used before")
    await execute(
        "DELETE FROM partner_assertion WHERE account_id = $1 AND expires_at < $2",
        *(account_id, now - LEEWAY),
    )


def _claims(assertion: str, keys: Sequence[PartnerKey]) -> dict[str, Any]:
    for key in keys:
        public = Ed25519PublicKey.from_public_bytes(key.material)
        try:
            return jwt.decode(assertion, public, algorithms=["EdDSA"], options=_OPTIONS)
        except (jwt.InvalidTokenError, ValueError):
            continue
    raise AssertionInvalid("no key that counts has signed it")


def _moment(number: object) -> datetime:
    """A NumericDate (RFC 7519) as aware UTC."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise AssertionInvalid("a moment is no number")
    try:
        return datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        raise AssertionInvalid("a moment is none of this calendar") from None
