"""Access tokens that are not good: refused before the request is read, whatever it asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain import access
from domain.access import CallerKind
from tests.graphql.conftest import Scene
from tests.graphql.gateway import NOW
from tests.graphql.operations import operation
from tests.graphql.orders import order

pytestmark = pytest.mark.asyncio(loop_scope="module")

Claims = dict[str, Any]

DROP = object()
"""Leaves a claim out."""


def spelled(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unspelled(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def read(token: str) -> tuple[Claims, Claims]:
    """The header and the claims, as anybody can read them."""
    header, claims = (orjson.loads(unspelled(part)) for part in token.split(".")[:2])
    return header, claims


def assembled(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    return f"{spelled(orjson.dumps(header))}.{spelled(orjson.dumps(claims))}.{spelled(signature)}"


def resigned(scene: Scene, *, header: Claims | None = None, **claims: Any) -> str:
    """Alice's token with changes, signed by the server's own key: the signature is good."""
    known_header, known_claims = read(scene.alice.access_token)
    key = scene.gateway.tokens.keys.signing_key()
    changed = {
        name: value for name, value in {**known_claims, **claims}.items() if value is not DROP
    }
    return jwt.encode(changed, key.private, "EdDSA", headers={**known_header, **(header or {})})


async def public_key(scene: Scene) -> tuple[str, bytes]:
    """What an attacker has: the server's key id and public key, from the JWKS it serves."""
    answer = await scene.gateway.http.get("/.well-known/jwks.json")
    (key,) = answer.json()["keys"]
    return key["kid"], unspelled(key["x"])


async def tampered_payload(scene: Scene) -> str:
    header, claims = read(scene.alice.access_token)
    signature = unspelled(scene.alice.access_token.split(".")[2])
    return assembled(header, {**claims, "sub": str(scene.bob.member)}, signature)


async def tampered_signature(scene: Scene) -> str:
    head, signature = scene.alice.access_token.rsplit(".", 1)
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


async def other_spelling_of_the_signature(scene: Scene) -> str:
    """64 bytes leave four bits of the last character free."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = scene.alice.access_token
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


async def no_algorithm(scene: Scene) -> str:
    header, claims = read(scene.alice.access_token)
    return assembled({**header, "alg": "none"}, claims)


async def no_algorithm_with_the_old_signature(scene: Scene) -> str:
    header, claims = read(scene.alice.access_token)
    signature = unspelled(scene.alice.access_token.split(".")[2])
    return assembled({**header, "alg": "None"}, claims, signature)


def hmac_signed(scene: Scene, secret: bytes) -> str:
    header, claims = read(scene.alice.access_token)
    token = assembled({**header, "alg": "HS256"}, claims).rstrip(".")
    return f"{token}.{spelled(hmac.new(secret, token.encode(), hashlib.sha256).digest())}"


async def hmac_with_the_public_key(scene: Scene) -> str:
    return hmac_signed(scene, (await public_key(scene))[1])


async def hmac_with_the_public_key_in_pem(scene: Scene) -> str:
    public = scene.gateway.tokens.keys.signing_key().public
    return hmac_signed(scene, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


async def unknown_key(scene: Scene) -> str:
    header, claims = read(scene.alice.access_token)
    stranger = Ed25519PrivateKey.generate()
    return jwt.encode(claims, stranger, "EdDSA", headers={**header, "kid": "another"})


async def strange_key_under_the_known_id(scene: Scene) -> str:
    header, claims = read(scene.alice.access_token)
    return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers=header)


async def key_brought_along(scene: Scene) -> str:
    header, claims = read(scene.alice.access_token)
    stranger = Ed25519PrivateKey.generate()
    raw = stranger.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    brought = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": spelled(raw)}}
    return jwt.encode(claims, stranger, "EdDSA", headers={**header, **brought})


async def key_id_that_is_a_path(scene: Scene) -> str:
    return resigned(scene, header={"kid": "../../etc/passwd"})


async def another_type(scene: Scene) -> str:
    return resigned(scene, header={"typ": "JWT"})


async def another_issuer(scene: Scene) -> str:
    return resigned(scene, iss="https://elsewhere.example")


async def another_audience(scene: Scene) -> str:
    return resigned(scene, aud="jifen:admin")


async def all_audiences(scene: Scene) -> str:
    return resigned(scene, aud=["jifen:member", "jifen:staff"])


async def subject_that_is_no_id(scene: Scene) -> str:
    return resigned(scene, sub="alice")


async def no_expiry(scene: Scene) -> str:
    return resigned(scene, exp=DROP)


async def made_in_the_future(scene: Scene) -> str:
    return resigned(scene, iat=(NOW + timedelta(hours=1)).timestamp())


async def refresh_token(scene: Scene) -> str:
    return scene.alice.refresh_token


async def words(scene: Scene) -> str:
    return "open sesame"


async def three_dots(scene: Scene) -> str:
    return "..."


async def large(scene: Scene) -> str:
    return "a" * 20_000


async def not_ascii(scene: Scene) -> str:
    return "é" * 10


async def expired(scene: Scene) -> str:
    made = (NOW - timedelta(minutes=15, seconds=11)).timestamp()
    return resigned(scene, iat=made, exp=int(made) + 900)


async def session_of_another_member(scene: Scene) -> str:
    return resigned(scene, sub=str(scene.bob.member))


async def member_who_never_was(scene: Scene) -> str:
    return resigned(scene, sub="01977c1e-0000-7000-8000-000000000000")


async def member_as_staff(scene: Scene) -> str:
    return resigned(scene, aud="jifen:staff", roles=["admin"])


async def shop_with_more_than_it_holds(scene: Scene) -> str:
    shop = await access.find_account("corner-shop")
    assert shop is not None
    token, _ = scene.gateway.tokens.issue(
        CallerKind.SHOP, shop.id, now=NOW, scopes=shop.grants | {"everything"}
    )
    return token


Forgery = Callable[[Scene], Awaitable[str]]

# How the token was made, and the reason that is told.
FORGERIES: list[tuple[Forgery, str]] = [
    *(
        (forgery, "invalid")
        for forgery in (
            tampered_payload,
            tampered_signature,
            other_spelling_of_the_signature,
            no_algorithm,
            no_algorithm_with_the_old_signature,
            hmac_with_the_public_key,
            hmac_with_the_public_key_in_pem,
            unknown_key,
            strange_key_under_the_known_id,
            key_brought_along,
            key_id_that_is_a_path,
            another_type,
            another_issuer,
            another_audience,
            all_audiences,
            subject_that_is_no_id,
            no_expiry,
            made_in_the_future,
            refresh_token,
            words,
            three_dots,
            large,
            not_ascii,
        )
    ),
    (expired, "expired"),
    *(
        (forgery, "revoked")
        for forgery in (
            session_of_another_member,
            member_who_never_was,
            member_as_staff,
            shop_with_more_than_it_holds,
        )
    ),
]


@pytest.mark.parametrize(
    ("forgery", "reason"), FORGERIES, ids=[forgery.__name__ for forgery, _ in FORGERIES]
)
async def test_a_token_that_is_not_good(scene: Scene, forgery: Forgery, reason: str) -> None:
    """Even for what everybody may read: a client must learn that its token is of no use."""
    token = await forgery(scene)
    for query, variables in (
        ("{ program { name } }", {}),
        (operation("Home"), {}),
        (operation("UpdateProfile"), {"input": {"nickname": "Mallory"}}),
        (
            operation("RecordPurchases"),
            {"input": {"batchId": "b", "orders": [order("B", scene.alice.member_id)]}},
        ),
    ):
        response = await scene.gateway.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers=[(b"authorization", f"Bearer {token}".encode())],
        )
        assert response.status_code == 401
        assert response.json() == {
            "errors": [
                {
                    "message": f"The access token is {reason}.",
                    "extensions": {
                        "code": "UNAUTHENTICATED",
                        "reason": reason,
                        "requestId": response.headers["x-request-id"],
                    },
                }
            ]
        }
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
    await scene.assert_unchanged()


HEADERS = {
    "another scheme": ["Basic YWxpY2U6eA=="],
    "no scheme": ["{token}"],
    "no token": ["Bearer"],
    "a blank for a token": ["Bearer  "],
    "two tokens": ["Bearer {token}", "Bearer {token}"],
    "two tokens in one": ["Bearer {token}, Bearer {token}"],
    "a token and more": ["Bearer {token} x"],
}


@pytest.mark.parametrize("bad", HEADERS)
async def test_a_header_that_is_no_token(scene: Scene, bad: str) -> None:
    headers = [
        ("authorization", value.format(token=scene.alice.access_token)) for value in HEADERS[bad]
    ]
    response = await scene.gateway.http.post(
        "/graphql", json={"query": "{ program { name } }"}, headers=headers
    )
    assert response.status_code == 401
    (error,) = response.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
        "UNAUTHENTICATED",
        "invalid",
    )
    await scene.assert_unchanged()


async def test_a_forgery_of_nothing_is_good(scene: Scene) -> None:
    """What the forgeries above begin with works: it is their changes that are refused."""
    for token in (scene.alice.access_token, resigned(scene)):
        response = await scene.gateway.ask("{ me { id } }", token=token)
        assert response.json() == {"data": {"me": {"id": scene.alice.member_id}}}
