"""Bearer tokens: anonymous, good, and every kind of bad one."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.access import Caller, CallerKind, InvalidAccessToken
from tests.api.gateway import ISSUER, Gateway, Parts, development_settings, open_gateway


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that would make a member."""
    now = datetime.now(UTC)
    return {
        "iss": ISSUER,
        "aud": "jifen:member",
        "sub": str(uuid4()),
        "sid": str(uuid4()),
        "iat": now.timestamp(),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
        "jti": str(uuid4()),
        **changes,
    }


def header(gateway: Gateway, **changes: Any) -> dict[str, Any]:
    return {"typ": "at+jwt", "alg": "EdDSA", "kid": gateway.keys.signing_key().kid, **changes}


async def refusal(gateway: Gateway, authorization: str) -> tuple[int, str, str]:
    """Status, code and reason of a request with this header that asks nothing protected."""
    response = await gateway.post("{ping}", headers={"authorization": authorization})
    (error,) = response.json()["errors"]
    assert list(response.json()) == ["errors"]
    challenge = response.headers["www-authenticate"]
    reason = error["extensions"]["reason"]
    assert challenge == (
        'Bearer realm="jifen", error="invalid_token",'
        f' error_description="The access token is {reason}."'
    )
    assert error["message"] == f"The access token is {reason}."
    return response.status_code, error["extensions"]["code"], reason


INVALID = (401, "UNAUTHENTICATED", "invalid")


async def test_without_a_token_the_caller_is_anonymous(gateway: Gateway) -> None:
    assert await gateway.data("{about}") == {"about": "zh anonymous"}


@pytest.mark.parametrize("kind", list(CallerKind))
async def test_a_good_token_tells_who_asks(gateway: Gateway, kind: CallerKind) -> None:
    headers = {**gateway.token(kind), "accept-language": "en"}
    assert await gateway.data("{about}", headers=headers) == {"about": f"en {kind}"}


async def test_the_scheme_is_read_in_any_case(gateway: Gateway) -> None:
    token = gateway.token()["authorization"].removeprefix("Bearer ")
    headers = {"authorization": f"bEARER   {token}"}
    assert await gateway.data("{about}", headers=headers) == {"about": "zh member"}


async def test_an_expired_token_is_told_apart(gateway: Gateway) -> None:
    expired = gateway.token(now=datetime.now(UTC) - timedelta(hours=1))["authorization"]
    assert await refusal(gateway, expired) == (401, "UNAUTHENTICATED", "expired")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dTpw",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer é",
        "Bearer " + "a" * 5_000,
    ],
)
async def test_what_is_no_token_is_invalid(gateway: Gateway, authorization: str) -> None:
    response = await gateway.http.post(
        "/graphql",
        json={"query": "{ping}"},
        headers=[(b"authorization", authorization.encode())],
    )
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["reason"]) == (401, "invalid")


async def test_a_tampered_token_is_invalid(gateway: Gateway) -> None:
    head, body, signature = gateway.token()["authorization"].split(".")
    other = segment(claims(sub=str(uuid4())))
    assert await refusal(gateway, f"{head}.{other}.{signature}") == INVALID
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert await refusal(gateway, f"{head}.{body}.{flipped}") == INVALID
    assert await refusal(gateway, f"{head}.{body}.") == INVALID


async def test_alg_confusion_is_invalid(gateway: Gateway) -> None:
    none = f"{segment(header(gateway, alg='none'))}.{segment(claims())}."
    assert await refusal(gateway, f"Bearer {none}") == INVALID
    # The public key as the secret of an HMAC, the classic of the kind.
    public = gateway.keys.signing_key().private.public_key()
    for encoding, form in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.Raw, serialization.PublicFormat.Raw),
    ):
        signed = f"{segment(header(gateway, alg='HS256'))}.{segment(claims())}"
        secret = public.public_bytes(encoding, form)
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        assert await refusal(gateway, f"Bearer {signed}.{signature}") == INVALID


async def test_an_unknown_key_is_invalid(gateway: Gateway) -> None:
    stranger = Ed25519PrivateKey.generate()
    for kid in ("unknown", gateway.keys.signing_key().kid, None):
        head = {key: value for key, value in header(gateway, kid=kid).items() if value}
        token = jwt.encode(claims(), stranger, "EdDSA", headers=head)
        assert await refusal(gateway, f"Bearer {token}") == INVALID


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://elsewhere.example"}, {"aud": "jifen:nobody"}, {"aud": None}, {"sub": "me"}],
)
async def test_claims_of_another_issuer_or_audience_are_invalid(
    gateway: Gateway, changes: dict[str, Any]
) -> None:
    wanted = {key: value for key, value in claims(**changes).items() if value is not None}
    key = gateway.keys.signing_key()
    token = jwt.encode(wanted, key.private, "EdDSA", headers={"typ": "at+jwt", "kid": key.kid})
    assert await refusal(gateway, f"Bearer {token}") == INVALID


async def test_two_tokens_are_none(gateway: Gateway) -> None:
    one, two = gateway.token()["authorization"], gateway.token()["authorization"]
    response = await gateway.http.post(
        "/graphql",
        json={"query": "{ping}"},
        headers=[("authorization", one), ("authorization", two)],
    )
    assert response.status_code == 401


async def test_a_bad_token_is_refused_before_the_body_is_read(gateway: Gateway) -> None:
    response = await gateway.http.post(
        "/graphql",
        content=b"x" * 300_000,
        headers={"authorization": "Bearer x", "content-type": "application/json"},
    )
    assert response.status_code == 401


async def test_the_gateway_may_look_behind_a_good_token(tmp_path: Path) -> None:
    signed_out: set[object] = set()
    asked: list[tuple[object, datetime]] = []

    async def confirm(caller: Caller, now: datetime) -> None:
        asked.append((caller.session_id, now))
        if caller.session_id in signed_out:
            raise InvalidAccessToken("revoked")

    async with open_gateway(development_settings(), tmp_path, Parts(confirm=confirm)) as gateway:
        token = gateway.token()
        assert await gateway.data("{about}", headers=token) == {"about": "zh member"}
        ((session_id, now),) = asked
        assert abs(datetime.now(UTC) - now) < timedelta(seconds=10)
        signed_out.add(session_id)
        assert await refusal(gateway, token["authorization"]) == (
            401,
            "UNAUTHENTICATED",
            "revoked",
        )
        await gateway.data("{about}")  # anonymous: nobody to look behind
        assert len(asked) == 2
