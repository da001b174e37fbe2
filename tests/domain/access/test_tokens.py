"""Access tokens: what is in one, and everything that is not one."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import orjson
import pytest

from domain.access import AccessTokens, Caller, CallerKind, InvalidAccessToken, KeyRing
from domain.access.key_set import encode
from tests.domain.access.fixtures import ISSUER, NOW

MEMBER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SESSION = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
EXPIRES_AT = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)


def member_token(tokens: AccessTokens, now: datetime = NOW) -> str:
    return tokens.issue(CallerKind.MEMBER, MEMBER, session_id=SESSION, now=now)[0]


def refused(tokens: AccessTokens, token: str, now: datetime = NOW) -> str:
    """The reason for which the token is refused."""
    with pytest.raises(InvalidAccessToken) as refusal:
        tokens.verify(token, now)
    return refusal.value.reason


def forge(ring: KeyRing, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with a good signature whose header and claims are mine; None takes one away."""
    key = ring.signing_key()
    whole = {
        "iss": ISSUER,
        "aud": "jifen:member",
        "sub": str(MEMBER),
        "sid": str(SESSION),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 900,
        "jti": "1",
    } | claims
    kept = {name: claim for name, claim in whole.items() if claim is not None}
    head = {"typ": "at+jwt", "kid": key.kid, "alg": "EdDSA"} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    signed = f"{encode(orjson.dumps(head))}.{encode(orjson.dumps(kept))}"
    return f"{signed}.{encode(key.private.sign(signed.encode()))}"


def test_a_members_token(tokens: AccessTokens, ring: KeyRing) -> None:
    token, expires_at = tokens.issue(CallerKind.MEMBER, MEMBER, session_id=SESSION, now=NOW)
    assert expires_at == EXPIRES_AT
    assert tokens.verify(token, NOW) == Caller(
        kind=CallerKind.MEMBER,
        subject=MEMBER,
        scopes=frozenset(),
        roles=frozenset(),
        session_id=SESSION,
        issued_at=NOW,
        expires_at=EXPIRES_AT,
    )
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "typ": "at+jwt",
        "kid": ring.signing_key().kid,
    }
    claims = jwt.decode(token, options={"verify_signature": False})
    assert UUID(claims.pop("jti")).version == 7
    assert claims == {
        "iss": ISSUER,
        "aud": "jifen:member",
        "sub": str(MEMBER),
        "sid": str(SESSION),
        "iat": NOW.timestamp(),
        "exp": int(EXPIRES_AT.timestamp()),
    }


@pytest.mark.parametrize("kind", [CallerKind.SHOP, CallerKind.PARTNER, CallerKind.STAFF])
def test_tokens_of_the_others(tokens: AccessTokens, kind: CallerKind) -> None:
    scopes, roles = frozenset({"purchases:write", "coupons:use"}), frozenset({"service"})
    token, _ = tokens.issue(kind, MEMBER, scopes=scopes, roles=roles, now=NOW)
    caller = tokens.verify(token, NOW)
    assert (caller.kind, caller.subject, caller.session_id) == (kind, MEMBER, None)
    assert (caller.scopes, caller.roles) == (scopes, roles)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["scope"], claims["roles"]) == (
        f"jifen:{kind.value}",
        "coupons:use purchases:write",
        ["service"],
    )


def test_the_public_key_set_is_all_that_another_verifier_needs(
    tokens: AccessTokens, ring: KeyRing
) -> None:
    token = member_token(tokens, datetime.now(UTC))
    published = jwt.PyJWKSet.from_dict(ring.jwks())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, published, ["EdDSA"], audience="jifen:member", issuer=ISSUER)
    assert claims["sub"] == str(MEMBER)


def test_a_token_expires_with_a_little_leeway(tokens: AccessTokens) -> None:
    token = member_token(tokens)
    last = EXPIRES_AT + timedelta(seconds=10, microseconds=-1)
    assert tokens.verify(token, last).subject == MEMBER
    assert refused(tokens, token, EXPIRES_AT + timedelta(seconds=10)) == "expired"
    # Also when it was never seen before, and when the clock goes back afterwards.
    fresh = AccessTokens(tokens.keys, ISSUER)
    assert refused(fresh, token, EXPIRES_AT + timedelta(days=400)) == "expired"
    assert fresh.verify(token, NOW).subject == MEMBER


@pytest.mark.parametrize(
    "life", [timedelta(0), timedelta(seconds=-1), timedelta(days=1, seconds=1)]
)
def test_no_token_outlives_the_key_that_signed_it(tokens: AccessTokens, life: timedelta) -> None:
    with pytest.raises(ValueError, match="cannot live"):
        tokens.issue(CallerKind.STAFF, MEMBER, ttl=life, now=NOW)


def test_no_character_of_a_token_can_be_changed(tokens: AccessTokens) -> None:
    token = member_token(tokens)
    accepted = [
        position
        for position, character in enumerate(token)
        for other in ("A", "B", "-", "=", ".", " ")
        if other != character
        and not _is_refused(tokens, token[:position] + other + token[position + 1 :])
    ]
    assert accepted == []
    assert tokens.verify(token, NOW).subject == MEMBER


def _is_refused(tokens: AccessTokens, token: str) -> bool:
    try:
        tokens.verify(token, NOW)
    except InvalidAccessToken as refusal:
        return refusal.reason == "invalid"
    return False


def test_another_spelling_of_the_same_signature_is_refused(tokens: AccessTokens) -> None:
    token = member_token(tokens)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last of 86 characters carries two bits of the signature and four that say nothing.
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    assert base64.urlsafe_b64decode(twin.rsplit(".", 1)[1] + "==") == base64.urlsafe_b64decode(
        token.rsplit(".", 1)[1] + "=="
    )
    assert refused(tokens, twin) == "invalid"


def test_alg_none_is_refused(tokens: AccessTokens, ring: KeyRing) -> None:
    head, claims, _ = forge(ring, {"alg": "none"}).split(".")
    for signature in ("", "AA"):
        assert refused(tokens, f"{head}.{claims}.{signature}") == "invalid"
    signed_all_the_same = forge(ring, {"alg": "none"})
    assert refused(tokens, signed_all_the_same) == "invalid"


def public_key_spellings(ring: KeyRing) -> dict[str, bytes]:
    public = ring.signing_key().public
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return {
        "raw": public.public_bytes_raw(),
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "openssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "jwk x": encode(public.public_bytes_raw()).encode(),
        "jwk": orjson.dumps(ring.jwks()["keys"][0]),
    }


@pytest.mark.parametrize("spelling", ["raw", "pem", "der", "openssh", "jwk x", "jwk"])
def test_hmac_with_the_public_key_is_refused(
    tokens: AccessTokens, ring: KeyRing, spelling: str
) -> None:
    head, claims, _ = forge(ring, {"alg": "HS256"}).split(".")
    secret = public_key_spellings(ring)[spelling]
    signature = hmac.new(secret, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert refused(tokens, f"{head}.{claims}.{encode(signature)}") == "invalid"


def test_a_key_of_the_tokens_own_is_refused(tokens: AccessTokens, tmp_path: Path) -> None:
    stranger = KeyRing(tmp_path / "stranger.json", now=NOW, create_missing=True)
    jwk = stranger.jwks()["keys"][0]
    kid = tokens.keys.signing_key().kid
    for header in ({}, {"kid": kid}, {"jwk": jwk}, {"kid": kid, "jwk": jwk}, {"kid": None}):
        assert refused(tokens, forge(stranger, header)) == "invalid"
    assert AccessTokens(stranger, ISSUER).verify(forge(stranger), NOW).subject == MEMBER


WRONG: dict[str, Callable[[KeyRing], str]] = {
    "another type": lambda ring: forge(ring, {"typ": "JWT"}),
    "no type": lambda ring: forge(ring, {"typ": None}),
    "an extension that must be understood": lambda ring: forge(ring, {"crit": ["exp"], "exp": 1}),
    "an unknown kid": lambda ring: forge(ring, {"kid": "unknown"}),
    "a kid that is a number": lambda ring: forge(ring, {"kid": 5}),
    "another issuer": lambda ring: forge(ring, iss="https://other.example"),
    "the issuer with a slash": lambda ring: forge(ring, iss=f"{ISSUER}/"),
    "issuers": lambda ring: forge(ring, iss=[ISSUER]),
    "no issuer": lambda ring: forge(ring, iss=None),
    "another audience": lambda ring: forge(ring, aud="jifen:nobody"),
    "two audiences": lambda ring: forge(ring, aud=["jifen:member", "jifen:staff"]),
    "no audience": lambda ring: forge(ring, aud=None),
    "no subject": lambda ring: forge(ring, sub=None),
    "a subject that is no id": lambda ring: forge(ring, sub="42"),
    "a subject that is a number": lambda ring: forge(ring, sub=42),
    "a member without session": lambda ring: forge(ring, sid=None),
    "a session that is no id": lambda ring: forge(ring, sid="42"),
    "no expiry": lambda ring: forge(ring, exp=None),
    "an expiry in words": lambda ring: forge(ring, exp="tomorrow"),
    "an expiry in digits": lambda ring: forge(ring, exp="9999999999"),
    "an expiry out of this world": lambda ring: forge(ring, exp=10**18),
    "an endless expiry": lambda ring: forge(ring, exp=1e308),
    "a negative expiry": lambda ring: forge(ring, exp=-1),
    "an expiry that is true": lambda ring: forge(ring, exp=True),
    "no time of issue": lambda ring: forge(ring, iat=None),
    "issued in the future": lambda ring: forge(ring, iat=int(NOW.timestamp()) + 11),
    "no name": lambda ring: forge(ring, jti=None),
    "scopes in a list": lambda ring: forge(ring, scope=["purchases:write"]),
    "roles that are a number": lambda ring: forge(ring, roles=5),
    "roles in a list in a list": lambda ring: forge(ring, roles=[["service"]]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_good_signature_is_not_enough(tokens: AccessTokens, ring: KeyRing, wrong: str) -> None:
    assert refused(tokens, WRONG[wrong](ring)) == "invalid"
    # The same token with nothing wrong in it is good.
    assert tokens.verify(forge(ring), NOW).subject == MEMBER


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "é.é.é", "\x00", "null.null.null", "e30.e30.", "A" * 5000],
    ids=repr,
)
def test_what_is_no_token_at_all(tokens: AccessTokens, text: str) -> None:
    assert refused(tokens, text) == "invalid"


def test_claims_that_are_not_an_object(tokens: AccessTokens, ring: KeyRing) -> None:
    key = ring.signing_key()
    head = encode(orjson.dumps({"typ": "at+jwt", "kid": key.kid, "alg": "EdDSA"}))
    for claims in (b"5", b"[]", b"null", b"{", b"\xff", b'{"exp": NaN}', b"[" * 2000):
        signed = f"{head}.{encode(claims)}"
        token = f"{signed}.{encode(key.private.sign(signed.encode()))}"
        assert refused(tokens, token) == "invalid"


def test_a_rotation_by_another_ring_interrupts_nobody(key_path: Path, ring: KeyRing) -> None:
    here, there = AccessTokens(ring, ISSUER), AccessTokens(KeyRing(key_path, now=NOW), ISSUER)
    old_kid = ring.signing_key().kid
    old = member_token(here)
    assert there.verify(old, NOW).subject == MEMBER

    there.keys.rotate(NOW)
    later = NOW + ring.lifetimes.lead
    there.keys.rotate(later)

    new = member_token(here, later)
    assert jwt.get_unverified_header(new)["kid"] not in {old_kid, None}
    for worker in (here, there):
        assert worker.verify(old, NOW + timedelta(minutes=14)).subject == MEMBER
        assert worker.verify(new, later).subject == MEMBER


def test_a_retired_keys_token_ends_with_the_longest_life(tokens: AccessTokens) -> None:
    day = timedelta(days=1)
    token, expires_at = tokens.issue(CallerKind.STAFF, MEMBER, ttl=day, now=NOW)
    tokens.keys.rotate(NOW)
    tokens.keys.rotate(NOW + timedelta(minutes=15))
    assert tokens.verify(token, expires_at).subject == MEMBER
    # An unknown key by then: expired is no longer told.
    fresh = AccessTokens(tokens.keys, ISSUER)
    assert refused(fresh, token, NOW + day + timedelta(minutes=15, seconds=11)) == "invalid"


def test_a_key_taken_from_the_file_ends_its_tokens_at_once(
    tokens: AccessTokens, key_path: Path, tmp_path: Path
) -> None:
    token = member_token(tokens)
    assert tokens.verify(token, NOW).subject == MEMBER
    KeyRing(tmp_path / "other.json", now=NOW, create_missing=True)
    (tmp_path / "other.json").replace(key_path)
    assert refused(tokens, token) == "invalid"


def test_verified_tokens_are_remembered_within_bounds(ring: KeyRing) -> None:
    tokens = AccessTokens(ring, ISSUER, remembered_max=2)
    issued = [member_token(tokens, NOW + timedelta(seconds=second)) for second in range(3)]
    at = NOW + timedelta(seconds=3)
    callers = [tokens.verify(token, at) for token in issued]
    # The same object comes back for the two that are remembered, an equal one for the oldest.
    assert tokens.verify(issued[2], at) is callers[2]
    assert tokens.verify(issued[1], at) is callers[1]
    again = tokens.verify(issued[0], at)
    assert again is not callers[0]
    assert again == callers[0]
