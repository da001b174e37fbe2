"""Signatures of Standard Webhooks, and the assertion that gets a token. Pure.

https://www.standardwebhooks.com: a signature covers `{id}.{timestamp}.{body}`, the body byte by
byte as it is sent. `v1a` is Ed25519 with a key of your own, `v1` is HMAC-SHA256 with a shared
secret. `vectors.json` has examples of both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ASSERTION_LIVES_S = 120


def signed_words(message_id: str, timestamp: int, body: bytes) -> bytes:
    """What a signature covers."""
    return f"{message_id}.{timestamp}.".encode() + body


def sign_v1a(key: Ed25519PrivateKey, message_id: str, timestamp: int, body: bytes) -> str:
    """An Ed25519 signature, as it stands in `webhook-signature`."""
    signature = key.sign(signed_words(message_id, timestamp, body))
    return f"v1a,{base64.b64encode(signature).decode()}"


def sign_v1(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """An HMAC-SHA256 signature with a secret `whsec_…`, as it stands in `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, signed_words(message_id, timestamp, body), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(key: Ed25519PrivateKey, body: bytes, *, timestamp: int) -> dict[str, str]:
    """The three headers of a request with this body; a new `webhook-id` each time."""
    message_id = f"msg_{uuid.uuid4().hex}"
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_v1a(key, message_id, timestamp, body),
    }


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half, as the merchant takes it in: `whpk_…`."""
    return f"whpk_{base64.b64encode(key.public_key().public_bytes_raw()).decode()}"


def assertion(key: Ed25519PrivateKey, *, partner: str, audience: str, timestamp: int) -> str:
    """A client assertion (RFC 7523) for `POST /oauth/token`, good once and for two minutes."""
    claims = {
        "iss": partner,
        "sub": partner,
        "aud": audience,
        "iat": timestamp,
        "exp": timestamp + ASSERTION_LIVES_S,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, key, algorithm="EdDSA")
