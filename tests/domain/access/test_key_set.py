"""Keys as values: RFC vectors, JSON, rotation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.access.key_set import (
    Key,
    KeyLifetimes,
    KeySetInvalid,
    KeyState,
    Rotation,
    decode,
    encode,
    first_key_set,
    from_json,
    new_key,
    public_jwk,
    rotated,
    thumbprint,
    to_json,
)
from tests.domain.access.fixtures import NOW

# RFC 8037, appendix A.1 to A.4: a key, its thumbprint, and a signature over a JWS.
RFC_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RFC_SIGNED = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
RFC_SIGNATURE = (
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)

LIFETIMES = KeyLifetimes(
    token_life_max=timedelta(hours=1), lead=timedelta(minutes=15), leeway=timedelta(seconds=10)
)


def rfc_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(decode(RFC_D))


def test_thumbprint_and_encoding_are_those_of_the_rfc() -> None:
    key = rfc_key()
    assert encode(key.public_key().public_bytes_raw()) == RFC_X
    assert thumbprint(key.public_key()) == RFC_THUMBPRINT
    assert encode(key.sign(RFC_SIGNED)) == RFC_SIGNATURE


@pytest.mark.parametrize("text", ["AB", "A", "AA==", "A A", "é", "_" * 43])
def test_only_canonical_base64url_is_decoded(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's and ours are both ValueErrors
        decode(text)


def test_json_keeps_everything() -> None:
    keys = (
        replace(new_key(NOW), state=KeyState.RETIRED, signing_since=NOW, retired_at=NOW),
        *first_key_set(new_key(NOW), NOW),
        new_key(NOW),
    )
    again = from_json(to_json(keys))
    assert again == keys
    assert [key.private.private_bytes_raw() for key in again] == [
        key.private.private_bytes_raw() for key in keys
    ]


def test_the_private_half_shows_neither_in_repr_nor_in_the_public_jwk() -> None:
    key = new_key(NOW)
    secret = encode(key.private.private_bytes_raw())
    assert secret not in repr(key)
    assert public_jwk(key) == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": encode(key.public.public_bytes_raw()),
        "kid": key.kid,
        "alg": "EdDSA",
        "use": "sig",
    }


def altered(**members: Any) -> bytes:
    """A good key set with members of its one key replaced."""
    document = orjson.loads(to_json(first_key_set(new_key(NOW), NOW)))
    document["keys"][0] |= members
    return orjson.dumps(document)


BROKEN = {
    "empty": b"",
    "not JSON": b'{"keys": [',
    "not an object": b"[]",
    "no keys": b'{"keys": []}',
    "keys are a number": b'{"keys": 5}',
    "a key is a number": b'{"keys": [5]}',
    "another public half": altered(x=RFC_X),
    "another kid": altered(kid=RFC_THUMBPRINT),
    "another private half": altered(d=RFC_D),
    "a short private half": altered(d=RFC_D[:-3]),
    "an unknown state": altered(state="resting"),
    "nothing signs": altered(state="published"),
    "signing, yet retired": altered(retired_at="2026-03-01T12:00:00Z"),
    "retired, nobody knows when": altered(state="retired"),
    "a moment without zone": altered(published_at="2026-03-01T12:00:00"),
    "a moment that is none": altered(published_at="soon"),
    "a missing moment": altered(published_at=None),
    "another algorithm": altered(alg="HS256"),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(KeySetInvalid):
        from_json(text)


def test_two_signing_keys_are_refused() -> None:
    with pytest.raises(KeySetInvalid, match="exactly one"):
        from_json(to_json(first_key_set(new_key(NOW), NOW) + first_key_set(new_key(NOW), NOW)))


def step(keys: tuple[Key, ...], now: datetime) -> tuple[tuple[Key, ...], Rotation]:
    return rotated(keys, fresh=lambda: new_key(now), now=now, lifetimes=LIFETIMES)


def states(keys: tuple[Key, ...]) -> list[str]:
    return [key.state.value for key in keys]


def test_a_whole_rotation() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    keys = first_key_set(new_key(start), start)
    old = keys[0]

    keys, done = step(keys, start + timedelta(days=30))
    assert (done, states(keys)) == (Rotation.PUBLISHED, ["signing", "published"])
    fresh = keys[1]
    assert fresh.published_at == start + timedelta(days=30)

    almost = fresh.published_at + timedelta(minutes=15, microseconds=-1)
    assert step(keys, almost) == (keys, Rotation.WAITING)

    ripe = fresh.published_at + timedelta(minutes=15)
    keys, done = step(keys, ripe)
    assert (done, states(keys)) == (Rotation.SIGNING, ["retired", "signing"])
    assert keys == (
        replace(old, state=KeyState.RETIRED, retired_at=ripe),
        replace(fresh, state=KeyState.SIGNING, signing_since=ripe),
    )


def test_a_retired_key_verifies_as_long_as_its_tokens_live_and_is_then_forgotten() -> None:
    keys = first_key_set(new_key(NOW), NOW)
    keys, _ = step(keys, NOW)
    keys, _ = step(keys, NOW + timedelta(minutes=15))
    retired, signing = keys
    last = NOW + timedelta(minutes=15, hours=1, seconds=10)

    assert retired.verifies(last, LIFETIMES)
    assert not retired.verifies(last + timedelta(microseconds=1), LIFETIMES)
    assert signing.verifies(last + timedelta(days=9999), LIFETIMES)

    still_there, _ = step(keys, last)
    assert states(still_there) == ["retired", "signing", "published"]
    forgotten, _ = step(keys, last + timedelta(microseconds=1))
    assert states(forgotten) == ["signing", "published"]
