"""The signers of the example: one set of vectors, and the gateway takes what they sign."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from domain.games import KeyKind, PartnerKey, SignatureHeaders, verify_signature
from tests.repository.tree import ROOT
from wheelpark import signing
from wheelpark.wheel import NOTHING, draw, prize_of

VECTORS: Any = json.loads((ROOT / "examples" / "partner-game" / "vectors.json").read_bytes())


def key() -> Ed25519PrivateKey:
    found = load_pem_private_key(VECTORS["privateKey"].encode(), password=None)
    assert isinstance(found, Ed25519PrivateKey)
    return found


@pytest.mark.parametrize("request_", VECTORS["requests"], ids=lambda one: one["id"])
def test_the_vectors_are_signed_and_taken(request_: dict[str, Any]) -> None:
    message_id, timestamp = request_["id"], request_["timestamp"]
    body = request_["body"].encode()
    assert signing.sign_v1(VECTORS["secret"], message_id, timestamp, body) == request_["v1"]
    assert signing.sign_v1a(key(), message_id, timestamp, body) == request_["v1a"]
    at = datetime.fromtimestamp(timestamp, UTC)
    public = PartnerKey(
        id=UUID(int=1),
        account_id=UUID(int=2),
        kind=KeyKind.ED25519,
        material=key().public_key().public_bytes_raw(),
        added_at=at,
    )
    headers = SignatureHeaders(id=message_id, timestamp=str(timestamp), signature=request_["v1a"])
    assert verify_signature([public], headers, body, now=at) == public.id


def test_the_first_vector_is_the_published_one() -> None:
    first = VECTORS["requests"][0]
    assert first["v1"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signing.public_text(key()) == VECTORS["publicKey"]


def test_the_wheel_draws_by_its_odds() -> None:
    prizes = [prize_of("points-5", "5", 0.5), prize_of("points-200", "200", 0.01)]
    drawn = [draw(prizes, ticket=ticket) for ticket in (0, 499_999, 500_000, 509_999, 510_000)]
    assert [one.points for one in drawn] == [5, 5, 200, 200, 0]
    assert drawn[-1] == NOTHING == draw(prizes, ticket=999_999)
    assert prize_of("mug", "a mug", 0.1).points == 0
