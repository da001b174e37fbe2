"""Forged tokens as attack tools make them, and requests that the server is to make for others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain.access import CallerKind
from tests.graphql.gateway import NOW
from tests.graphql.kept import everything_kept
from tests.security.target import Target

pytestmark = pytest.mark.asyncio(loop_scope="module")

Parts = dict[str, Any]

KIDS = (
    "../../../../dev/null",
    "/dev/null",
    "/proc/sys/kernel/randomize_va_space",
    "' UNION ALL VALUES ('x') --",
    "| id",
    "http://127.0.0.1/key",
    "",
    " ",
    "a" * 1_000,
)
HEADERS: dict[str, Parts] = {
    "no type": {"typ": None},
    "an identity token": {"typ": "JWT"},
    "another type": {"typ": "logout+jwt"},
    "a nested token": {"cty": "JWT", "typ": "JWT"},
    "a key of its own": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}},
    "an address of keys": {"jku": "http://127.0.0.1:1/keys.json"},
    "an address of certificates": {"x5u": "http://127.0.0.1:1/cert.pem"},
    "a certificate": {"x5c": ["MIIB"]},
    "something critical": {"crit": ["exp"], "exp": 1},
    "unencoded": {"b64": False, "crit": ["b64"]},
    **{f"the key {kid[:20]!r}": {"kid": kid} for kid in KIDS},
    "a key that is no text": {"kid": ["a"]},
    "a key that is an object": {"kid": {"$gt": ""}},
}
CLAIMS: dict[str, Parts] = {
    "another audience": {"aud": "jifen:staff"},
    "all audiences": {"aud": ["jifen:member", "jifen:staff"]},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "the issuer with a slash": {"iss": "https://jifen.example/"},
    "nobody": {"sub": ""},
    "somebody else": {"sub": str(uuid4())},
    "everybody": {"sub": "*"},
    "expired": {"exp": int(NOW.timestamp()) - 3_600},
    "for ever": {"exp": 10**18},
    "no end": {"exp": None},
    "not yet": {"iat": NOW.timestamp() + 3_600},
    "a moment in words": {"exp": "tomorrow"},
    "not a number": {"exp": float("inf")},
    "no session": {"sid": None},
    "another session": {"sid": str(uuid4())},
}


def unspelled(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def spelled(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def parts(token: str) -> tuple[Parts, Parts]:
    header, claims = (orjson.loads(unspelled(part)) for part in token.split(".")[:2])
    return header, claims


def changed(known: Parts, changes: Parts) -> Parts:
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def signed(key: Any, header: Parts, claims: Parts) -> str:
    """A token as it is, whatever its header says: signed with EdDSA over the bytes."""
    inside = f"{spelled(orjson.dumps(header))}.{spelled(dumped(claims))}"
    return f"{inside}.{spelled(key.sign(inside.encode()))}"


def dumped(claims: Parts) -> bytes:
    """JSON that may hold what JSON may not."""
    text = orjson.dumps({k: v for k, v in claims.items() if v != float("inf")})
    return text[:-1] + b',"exp":1e999}' if claims.get("exp") == float("inf") else text


def forgeries(target: Target) -> Iterator[tuple[str, str]]:
    token = str(target.tokens["member"])
    header, claims = parts(token)
    key = target.gateway.tokens.keys.signing_key()
    public = key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    own = Ed25519PrivateKey.generate()
    body = token.split(".")[1]
    for name, changes in HEADERS.items():
        mine = changes.keys() & {"jwk", "jku", "x5u", "x5c"}
        yield name, signed(own if mine else key.private, changed(header, changes), claims)
    for name, changes in CLAIMS.items():
        yield name, signed(key.private, header, changed(claims, changes))
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        unsigned = spelled(orjson.dumps({**header, "alg": algorithm}))
        yield f"algorithm {algorithm!r}", f"{unsigned}.{body}."
        yield f"algorithm {algorithm!r} with a signature", f"{unsigned}.{token.split('.', 1)[1]}"
    for name, secret in (("raw", public), ("PEM", pem), ("nothing", b""), ("a word", b"secret")):
        for algorithm, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            inside = f"{spelled(orjson.dumps({**header, 'alg': algorithm}))}.{body}"
            mac = hmac.new(secret, inside.encode(), digest).digest()
            yield f"{algorithm} by the public key, {name}", f"{inside}.{spelled(mac)}"
    ec = generate_private_key(SECP256R1())
    es256 = jwt.encode(claims, ec, "ES256", headers={"typ": "at+jwt", "kid": header["kid"]})
    yield "another curve", es256
    yield "a signature of zeros", f"{token.rpartition('.')[0]}.{spelled(bytes(64))}"
    yield "an empty signature", f"{token.rpartition('.')[0]}."
    yield "another's signature", signed(own, header, claims)
    yield "two parts", token.rpartition(".")[0]
    yield "four parts", f"{token}.{body}"
    yield "with padding", f"{token}=="
    yield "another spelling of the signature", token[:-1] + chr(ord(token[-1]) + 1)
    yield "in another alphabet", token.replace("-", "+").replace("_", "/") + "+"
    yield "upper case", token.upper()
    yield "not a token", "x"
    yield "10,000 characters", "a" * 10_000
    yield "a claim said twice", _doubled(key.private, header, claims)


def _doubled(key: Any, header: Parts, claims: Parts) -> str:
    """`sub` twice: readers that take the first and readers that take the last disagree."""
    text = dumped(claims)[:-1] + b',"aud":"jifen:staff","roles":["auditor"]}'
    inside = f"{spelled(orjson.dumps(header))}.{spelled(text)}"
    return f"{inside}.{spelled(key.sign(inside.encode()))}"


async def test_no_forged_token_is_taken_and_nothing_is_done_by_it(target: Target) -> None:
    header, claims = parts(str(target.tokens["member"]))
    key = target.gateway.tokens.keys.signing_key()
    good = {"authorization": f"Bearer {signed(key.private, header, claims)}"}
    asked = {"query": "{ me { id } }"}
    assert (await target.send(json=asked, headers=good)).json()["data"]["me"]
    before = await everything_kept()
    asked = {"query": "mutation { signOut(input: { everywhere: true }) { signedOut } }"}
    for name, token in forgeries(target):
        response = await target.send(json=asked, headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 401, name
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED", name
        assert error["extensions"]["reason"] in {"invalid", "expired", "revoked"}, name
        assert len(token) == 1 or token not in response.text, name
        for fragment in ("kid", "signature", "dev/null"):
            assert fragment not in response.text, name
    assert await everything_kept() == before


async def test_a_token_of_one_kind_is_good_for_no_other(target: Target) -> None:
    """With a good signature and claims of another kind: of whom the account is not."""
    keys = target.gateway.tokens
    shop = keys.verify(str(target.tokens["shop"]), NOW)
    staff = keys.verify(str(target.tokens["staff"]), NOW)
    member = keys.verify(str(target.tokens["member"]), NOW)
    for kind, subject, scopes, roles in (
        (CallerKind.STAFF, shop.subject, "", "auditor"),
        (CallerKind.STAFF, member.subject, "", "auditor"),
        (CallerKind.PARTNER, shop.subject, "purchases:write", ""),
        (CallerKind.SHOP, staff.subject, "purchases:write", ""),
        (CallerKind.SHOP, shop.subject, "rewards:write", ""),
        (CallerKind.SHOP, shop.subject, "", "auditor"),
        (CallerKind.STAFF, staff.subject, "", "root"),
    ):
        token, _ = keys.issue(
            kind,
            subject,
            now=NOW,
            scopes=frozenset(scopes.split()),
            roles=frozenset(roles.split()),
        )
        response = await target.send(
            json={"query": "{ __typename }"}, headers={"authorization": f"Bearer {token}"}
        )
        assert response.status_code == 401
        assert response.json()["errors"][0]["extensions"]["reason"] == "revoked"


INSIDE = (
    "http://127.0.0.1:{port}/avatar.png",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://0x7f000001:{port}/",
    "http://127.1:{port}/",
    "https://127.0.0.1:{port}/",
)
NO_PICTURES = (
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//127.0.0.1:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://",
    "http:// 127.0.0.1/",
    "https://x\r\nset-cookie: a=b",
)
PICTURE = """mutation($v: UpdateProfileInput!) {
    updateProfile(input: $v) { member { avatarUrl } userErrors { code } } }"""


async def test_the_server_never_asks_for_an_address_that_a_client_names(target: Target) -> None:
    """An address is a text for other clients; whatever is no http or https URL is refused."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        for pattern in (*INSIDE, *NO_PICTURES):
            url = pattern.format(port=port)
            response = await target.ask(PICTURE, by="member", variables={"v": {"avatarUrl": url}})
            body = response.json()
            if pattern in NO_PICTURES:
                refused = body.get("errors") or body["data"]["updateProfile"]["userErrors"]
                assert refused, url
            else:
                assert body["data"]["updateProfile"]["member"] == {"avatarUrl": url}
        await target.ask("{ me { avatarUrl recommendations(surface: HOME) { items { score } } } }",
                         by="member")  # fmt: skip
        with pytest.raises(BlockingIOError):
            listening.accept()


async def test_a_socket_of_another_page_is_refused(target: Target) -> None:
    """Cross-site WebSocket hijacking: the browser says whose page it is."""
    for origin in (b"https://evil.example", b"null", b"http://gateway.test.evil.example"):
        answer = await target.upgrade(
            b"GET /graphql HTTP/1.1",
            b"host: gateway.test",
            b"sec-websocket-protocol: graphql-transport-ws",
            b"origin: " + origin,
        )
        assert answer.startswith(b"HTTP/1.1 403"), answer


async def test_zero_findings(target: Target, tally: Callable[[str, int, int], None]) -> None:
    """Of the whole module: each test asserts its own."""
    tally("security probes of tokens and addresses, 0 findings", target.probes, 95)
    assert target.findings == []
