"""Partner platforms of these tests: taken in by the real writers, signing as they would."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from uuid_utils.compat import uuid7

from domain import games
from domain.games import AddPartnerKey, KeyKind, Partner, PartnerKey, RegisterPartner
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import ISSUER, NOW, Gateway

SCOPES = frozenset({"rewards:write", "rewards:read"})


def private_key(seed: int = 1) -> Ed25519PrivateKey:
    """A key of a partner, the same each time."""
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def public_text(key: Ed25519PrivateKey) -> str:
    """The public half as a partner hands it in."""
    return f"whpk_{base64.b64encode(key.public_key().public_bytes_raw()).decode()}"


def hmac_signature(secret: str, signed: bytes) -> str:
    """A signature `v1`, by the letter of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def ed25519_signature(key: Ed25519PrivateKey, signed: bytes) -> str:
    """A signature `v1a`."""
    return "v1a," + base64.b64encode(key.sign(signed)).decode()


@dataclass(frozen=True, slots=True)
class Platform:
    """A partner that was taken in, with a key of each kind that signs requests."""

    gateway: Gateway
    partner: Partner
    private: Ed25519PrivateKey = field(repr=False)
    ed25519: PartnerKey
    secret: str = field(repr=False)
    hmac: PartnerKey

    @property
    def code(self) -> str:
        """Its code."""
        return self.partner.code

    def headers(
        self,
        body: bytes,
        *,
        at: datetime = NOW,
        message_id: str | None = None,
        private: Ed25519PrivateKey | None = None,
        secret: str | None = None,
    ) -> dict[str, str]:
        """The headers of a signature over the body: `v1a`, or `v1` with a `secret`."""
        message_id = message_id or f"msg_{uuid7()}"
        stamp = str(int(at.timestamp()))
        signed = f"{message_id}.{stamp}.".encode() + body
        signature = (
            ed25519_signature(private or self.private, signed)
            if secret is None
            else hmac_signature(secret, signed)
        )
        return {
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature,
        }

    async def token(self, *scopes: str) -> str:
        """An access token, made by hand."""
        return await self.gateway.token_of(self.code, *scopes)

    async def push(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        at: datetime | None = None,
    ) -> httpx.Response:
        """A signed GraphQL request."""
        body = orjson.dumps({"query": query, "variables": variables})
        headers = self.headers(body, at=at or self.gateway.clock.now())
        return await self.post(body, headers, token=token or await self.token())

    async def post(self, body: bytes, headers: Mapping[str, str], *, token: str) -> httpx.Response:
        """A POST with this very body and these headers."""
        return await self.gateway.http.post(
            "/graphql",
            content=body,
            headers={
                "authorization": f"Bearer {token}",
                "content-type": "application/json",
                **headers,
            },
        )

    def assertion(
        self,
        *,
        private: Ed25519PrivateKey | None = None,
        now: datetime | None = None,
        **claims: Any,
    ) -> str:
        """A client assertion; claims that are given as None are left out."""
        now = now or self.gateway.clock.now()
        said = {
            "iss": self.code,
            "sub": self.code,
            "aud": f"{ISSUER}/oauth/token",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=2)).timestamp()),
            "jti": str(uuid7()),
            **claims,
        }
        told = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(told, private or self.private, "EdDSA")


async def take_in(gateway: Gateway, code: str = "arcade", **terms: Any) -> Platform:
    """A partner of this test, with keys, as the operator takes it in."""
    command = RegisterPartner(
        **{
            "code": gateway.named(f"{code}-platform"),
            "name_zh": "转盘乐园",
            "name_en": "Wheel Park",
            "scopes": SCOPES,
            "points_per_day": 100_000,
            "points_per_member_day": 10_000,
            **terms,
        }
    )
    partner = await games.register_partner(command, by=OPERATOR, now=NOW)
    private = private_key()
    keys = {
        kind: await games.add_partner_key(
            AddPartnerKey(
                code=partner.code,
                kind=kind,
                public_key=public_text(private) if kind.is_public else None,
            ),
            by=OPERATOR,
            now=NOW,
        )
        for kind in (KeyKind.ED25519, KeyKind.HMAC, KeyKind.JWT)
    }
    secret = keys[KeyKind.HMAC].secret
    assert secret is not None
    return Platform(
        gateway=gateway,
        partner=partner,
        private=private,
        ed25519=keys[KeyKind.ED25519].key,
        secret=secret,
        hmac=keys[KeyKind.HMAC].key,
    )
