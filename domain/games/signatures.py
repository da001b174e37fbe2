"""Signatures of requests, as Standard Webhooks has them. Pure.

`webhook-signature` holds one or more signatures with a space between, over
`{webhook-id}.{webhook-timestamp}.{body}`: `v1a,` and the base64 of an Ed25519 signature, or `v1,`
and the base64 of an HMAC-SHA256. One that is good suffices; other versions are passed over, so that
both keys of a rotation may sign, and versions to come.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain.games.partner_keys import KeyKind, PartnerKey

TOLERANCE: Final = timedelta(minutes=5)
SIGNATURES_MAX: Final = 8
_HEADER_CHARACTERS_MAX: Final = 2_048
_ID: Final = re.compile(r"[!-~]{1,256}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")

Reason = Literal["missing", "invalid", "stale"]


class SignatureRefused(Exception):
    """Raised when a request is not signed as it must be; not a refusal of what it asks.

    `missing`: a header is not there; `invalid`: no signature is that of a key that counts now;
    `stale`: one is, but of more than five minutes ago, or ahead.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureHeaders:
    """The three headers as they came; None for one that is not there."""

    id: str | None = None
    timestamp: str | None = None
    signature: str | None = None


def verify_signature(
    keys: Sequence[PartnerKey], headers: SignatureHeaders, body: bytes, *, now: datetime
) -> UUID:
    """The id of the key that signed the body. Raises SignatureRefused.

    Whether it is stale is told of good signatures alone: nothing is told of another's.
    """
    if headers.id is None or headers.timestamp is None or headers.signature is None:
        raise SignatureRefused("missing")
    if not (
        _ID.fullmatch(headers.id)
        and _TIMESTAMP.fullmatch(headers.timestamp)
        and len(headers.signature) <= _HEADER_CHARACTERS_MAX
    ):
        raise SignatureRefused("invalid")
    signed = f"{headers.id}.{headers.timestamp}.".encode() + body
    counting = [key for key in keys if key.counts(now)]
    key_id = _signer(counting, headers.signature, signed)
    if key_id is None:
        raise SignatureRefused("invalid")
    if abs(now.timestamp() - int(headers.timestamp)) > TOLERANCE.total_seconds():
        raise SignatureRefused("stale")
    return key_id


def _signer(keys: Sequence[PartnerKey], signatures: str, signed: bytes) -> UUID | None:
    """The id of the first key of which one of the signatures is."""
    for one in signatures.split(" ")[:SIGNATURES_MAX]:
        version, _, text = one.partition(",")
        kind = {"v1a": KeyKind.ED25519, "v1": KeyKind.HMAC}.get(version)
        try:
            given = base64.b64decode(text, validate=True)
        except ValueError:  # binascii.Error is one; so is what is told of a letter beyond ASCII.
            continue
        for key in keys:
            if key.kind is kind and _is_of(key, given, signed):
                return key.id
    return None


def _is_of(key: PartnerKey, given: bytes, signed: bytes) -> bool:
    if key.kind is KeyKind.HMAC:
        wanted = hmac.new(key.secret(), signed, hashlib.sha256).digest()
        return hmac.compare_digest(wanted, given)
    try:
        Ed25519PublicKey.from_public_bytes(key.material).verify(given, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
