"""What proves that Jifen took something: its signature over receipts. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RECEIPT = ("code", "entryId", "externalId", "firstStatus", "index", "status")
STANDING = ("code", "entryId", "externalId", "occurredAt", "status")


def batch_is_signed(batch: Mapping[str, Any], *, partner: str, keys: Sequence[Any]) -> bool:
    """Whether the signature of a batch is that of the gateway.

    `batch` is the `batch` of `pushRewards`, with all that its receipts have; `keys` are those of
    `/.well-known/jwks.json`.
    """
    told = {
        "batch": batch["id"],
        "partner": partner,
        "receipts": [{name: one[name] for name in RECEIPT} for one in batch["receipts"]],
    }
    return _is_signed(told, by=batch, keys=keys)


def receipt_is_signed(receipt: Mapping[str, Any], *, partner: str, keys: Sequence[Any]) -> bool:
    """The same for one of `receipts`, which tells how an item stands now."""
    told = {"partner": partner} | {name: receipt[name] for name in STANDING}
    return _is_signed(told, by=receipt, keys=keys)


def _is_signed(told: Mapping[str, Any], *, by: Mapping[str, Any], keys: Sequence[Any]) -> bool:
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    words = f"jifen-receipts:1:{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = next((one for one in keys if one["kid"] == by["keyId"]), None)
    if key is None:
        return False
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=="))
    try:
        public.verify(base64.b64decode(by["signature"]), words.encode())
    except InvalidSignature:
        return False
    return True
