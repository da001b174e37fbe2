"""Global ids: what one looks like, and everything that is none."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.faults import CodedError
from schema.node import decode_global_id, decode_uuid, encode_global_id

REWARD = UUID("019a0000-0000-7000-8000-000000000001")


def encoded(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def test_an_id_is_base64url_of_type_and_key() -> None:
    reward = encode_global_id("Reward", REWARD)
    assert reward == "UmV3YXJkOjAxOWEwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMQ"
    assert decode_global_id(reward, "Reward") == str(REWARD)
    assert decode_uuid(reward, "Reward") == REWARD


def test_a_key_may_hold_a_colon_and_other_scripts() -> None:
    assert decode_global_id(encode_global_id("Theme", "茶:green"), "Theme") == "茶:green"


def test_an_id_of_another_type_is_refused_by_name() -> None:
    with pytest.raises(CodedError) as caught:
        decode_uuid(encode_global_id("Member", REWARD), "Reward")
    assert caught.value.message == "This is not an id of Reward."
    assert caught.value.extensions == {"code": "BAD_ID", "expected": "Reward"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "!!!!",
        "é",
        "1",
        str(REWARD),
        encoded(b"Reward"),
        encoded(b"Reward:\xff"),
        encoded(b"Reward:a\0b"),
        encoded(b"Reward:a\nb"),
        # The same object under another spelling is not its id.
        encode_global_id("Reward", REWARD) + "=",
        encode_global_id("Reward", REWARD) + "\n",
        encode_global_id("Reward", REWARD)[:-1] + "R",
        encoded(b"Reward:" + b"a" * 300),
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(CodedError) as caught:
        decode_global_id(text, "Reward")
    assert caught.value.message == "This is not an id of this server."
    assert caught.value.extensions == {"code": "BAD_ID"}


def test_an_id_of_the_type_whose_key_is_no_uuid_is_refused() -> None:
    with pytest.raises(CodedError, match="not an id of this server"):
        decode_uuid(encode_global_id("Reward", "1"), "Reward")


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(CodedError):
        decode_uuid(text, "Reward")
