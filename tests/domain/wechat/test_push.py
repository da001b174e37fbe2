"""Message push: every sample of WeChat's page, and what must not be believed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from domain.wechat import PushCipher, PushInvalid, is_push_signed, push_signature

TOKEN = "AAAAA"
CIPHER = PushCipher(app_id="wxba5fad812f8e6fb9", encoding_aes_key="A" * 43)
ENCRYPTED = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcv"
    "ZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3F"
    "n2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSe"
    "OBrebufAlr7F9mFUPAJGj04="
)
REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


@pytest.mark.parametrize(
    ("timestamp", "nonce", "encrypted", "signature"),
    [
        ("1714036504", "1514711492", None, "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ("1714037059", "486452656", None, "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        ("1714112445", "415670741", None, "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
        ("1714112445", "415670741", ENCRYPTED, "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
        ("1713424427", "415670741", REPLY, "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
    ],
)
def test_published_signatures(
    timestamp: str, nonce: str, encrypted: str | None, signature: str
) -> None:
    signed: dict[str, Any] = {
        "token": TOKEN,
        "timestamp": timestamp,
        "nonce": nonce,
        "encrypted": encrypted,
    }

    assert push_signature(**signed) == signature
    assert is_push_signed(signature=signature, **signed)
    forged = [{"token": "BBBBB"}, {"timestamp": "1714036505"}, {"nonce": "1"}, {"encrypted": "x"}]
    for change in forged:
        assert not is_push_signed(signature=signature, **signed | change)
    assert not is_push_signed(signature="é", **signed)


def test_published_message_decrypts() -> None:
    assert orjson.loads(CIPHER.decrypt(ENCRYPTED)) == {
        "ToUserName": "gh_97417a04a28d",
        "FromUserName": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
        "CreateTime": 1714112445,
        "MsgType": "event",
        "Event": "debug_demo",
        "debug_str": "hello world",
    }


def test_published_reply_encrypts() -> None:
    message = b'{"demo_resp":"good luck"}'

    assert CIPHER.encrypt(message, random=b"707722b803182950") == REPLY
    assert CIPHER.decrypt(REPLY) == message


@pytest.mark.parametrize("message", [b"", b"x", "积分变动 🎁".encode(), b"y" * 5000])
def test_each_encryption_differs_and_decrypts_to_the_message(message: bytes) -> None:
    first, second = CIPHER.encrypt(message), CIPHER.encrypt(message)

    assert first != second
    assert CIPHER.decrypt(first) == CIPHER.decrypt(second) == message


@pytest.mark.parametrize(
    "encrypted",
    [
        "",
        "AAAA",
        "不是",
        ENCRYPTED[:-4],
        "A" * 128,
        "A" * (1024 * 1024 + 4),
        PushCipher(app_id="wx0000000000000000", encoding_aes_key="A" * 43).encrypt(
            b"{}", random=b"707722b803182950"
        ),
        PushCipher(app_id=CIPHER.app_id, encoding_aes_key="B" * 43).encrypt(
            b"{}", random=b"707722b803182950"
        ),
    ],
)
def test_damaged_or_foreign_pushes_are_refused(encrypted: str) -> None:
    with pytest.raises(PushInvalid):
        CIPHER.decrypt(encrypted)


@pytest.mark.parametrize("key", ["", "A" * 42, "A" * 44, "*" * 43])
def test_malformed_key_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="EncodingAESKey"):
        PushCipher(app_id="wx0000000000000000", encoding_aes_key=key)


def test_random_must_be_16_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        CIPHER.encrypt(b"{}", random=b"short")


def test_key_stays_out_of_the_text_of_a_cipher() -> None:
    assert repr(CIPHER) == "PushCipher(app_id='wxba5fad812f8e6fb9')"
