"""What the platform has to know: where the gateway is, who it is itself, its keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One platform on one gateway.

    `gateway_url` has no path, `folder` is its own data, `clock` tells seconds since 1970.
    """

    gateway_url: str
    partner: str
    campaign_id: str
    key: Ed25519PrivateKey = field(repr=False)
    webhook_secret: str = field(repr=False)
    folder: Path
    clock: Callable[[], float] = time.time


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in this file, which only its owner may read; made where there is none."""
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey), "the file holds an Ed25519 key"
        return key
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key
