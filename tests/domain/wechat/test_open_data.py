"""Open data: WeChat's published samples, and what must not be believed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from domain.wechat import (
    OpenDataFault,
    OpenDataInvalid,
    SessionKey,
    decrypt_open_data,
    is_raw_data_signed,
    raw_data_signature,
)

# The sample of WeChat's own example code (WXBizDataCrypt).
APP_ID = "wx4f4bc4dec97d474b"
SESSION_KEY = SessionKey("tiihtNczf5v6AKRyjwEUhQ==")
IV = "r7BXXKkLb8qrSNn05n0qiA=="
ENCRYPTED = (
    "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNP"
    "dbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyx"
    "VLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid"
    "1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEB"
    "vB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVu"
    "nYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=="
)
MARKED_AT = datetime.fromtimestamp(1477314187, tz=UTC)

# The sample of the signature page.
RAW_DATA = (
    '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong",'
    '"country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7b'
    'QxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}'
)
RAW_DATA_KEY = SessionKey("HyVFkGl5F5OQWJZZaNzBBg==")
RAW_DATA_SIGNATURE = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"


def decrypt(encrypted: str = ENCRYPTED, **overrides: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "iv": IV,
        "session_key": SESSION_KEY,
        "app_id": APP_ID,
        "now": MARKED_AT,
        "age_max": timedelta(minutes=10),
    }
    return decrypt_open_data(encrypted, **arguments | overrides)


def encrypt(plain: bytes, *, key: SessionKey = SESSION_KEY) -> str:
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    aes = algorithms.AES(base64.b64decode(key.reveal()))
    encryptor = Cipher(aes, modes.CBC(base64.b64decode(IV))).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def test_published_sample_decrypts() -> None:
    fields = decrypt()

    assert fields["openId"] == "oGZUI0egBJY1zhBYw2KhdUfwVJJE"
    assert fields["nickName"] == "Band"
    assert fields["unionId"] == "ocMvos6NjeKLIBqg5Mr9QjxrP1FA"
    assert fields["watermark"] == {"timestamp": 1477314187, "appid": APP_ID}


def test_published_raw_data_signature() -> None:
    assert raw_data_signature(RAW_DATA, session_key=RAW_DATA_KEY) == RAW_DATA_SIGNATURE


@pytest.mark.parametrize(
    ("raw_data", "signature", "key"),
    [
        (RAW_DATA.replace("Band", "Bend"), RAW_DATA_SIGNATURE, RAW_DATA_KEY),
        (RAW_DATA, RAW_DATA_SIGNATURE[:-1], RAW_DATA_KEY),
        (RAW_DATA, "署名", RAW_DATA_KEY),
        (RAW_DATA, RAW_DATA_SIGNATURE, SESSION_KEY),
    ],
)
def test_raw_data_of_another_signature_is_not_signed(
    raw_data: str, signature: str, key: SessionKey
) -> None:
    assert is_raw_data_signed(RAW_DATA, signature=RAW_DATA_SIGNATURE, session_key=RAW_DATA_KEY)
    assert not is_raw_data_signed(raw_data, signature=signature, session_key=key)


def test_data_of_another_app_is_refused() -> None:
    with pytest.raises(OpenDataInvalid) as refusal:
        decrypt(app_id="wx0000000000000000")
    assert refusal.value.reason is OpenDataFault.OTHER_APP


@pytest.mark.parametrize(
    ("age", "believed"),
    [
        (timedelta(minutes=10), True),
        (timedelta(minutes=10, seconds=1), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
    ],
)
def test_age_of_the_watermark_is_bounded(age: timedelta, believed: bool) -> None:
    if believed:
        assert decrypt(now=MARKED_AT + age)["nickName"] == "Band"
        return
    with pytest.raises(OpenDataInvalid) as refusal:
        decrypt(now=MARKED_AT + age)
    assert refusal.value.reason is OpenDataFault.NOT_RECENT


@pytest.mark.parametrize(
    "changes",
    [
        {"session_key": RAW_DATA_KEY},
        {"session_key": SessionKey("AAAA")},
        {"session_key": SessionKey("A" * 43 + "=")},
        {"session_key": SessionKey("not base64!")},
        {"iv": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"iv": "AAAA"},
        {"iv": ""},
        {"iv": "向量"},
        {"encrypted": ""},
        {"encrypted": "AAAA"},
        {"encrypted": ENCRYPTED[:-4]},
        {"encrypted": "*" + ENCRYPTED[1:]},
        {"encrypted": "A" * 70_000},
        {"encrypted": encrypt(b"[]")},
        {"encrypted": encrypt(b"{")},
        {"encrypted": encrypt(b'{"watermark": 5}')},
        {"encrypted": encrypt(b'{"openId": "o"}')},
        {"encrypted": encrypt(b'{"watermark": {"timestamp": "1477314187"}}')},
    ],
)
def test_what_cannot_be_read_has_one_reason(changes: dict[str, Any]) -> None:
    with pytest.raises(OpenDataInvalid) as refusal:
        decrypt(**changes)
    assert refusal.value.reason is OpenDataFault.UNREADABLE


def test_key_of_another_cipher_is_refused_though_it_fits() -> None:
    key = SessionKey("A" * 43 + "=")
    fields = {"watermark": {"appid": APP_ID, "timestamp": int(MARKED_AT.timestamp())}}

    with pytest.raises(OpenDataInvalid) as refusal:
        decrypt(encrypt(orjson.dumps(fields), key=key), session_key=key)
    assert refusal.value.reason is OpenDataFault.UNREADABLE


def test_absurd_timestamp_is_refused() -> None:
    fields = {"watermark": {"appid": APP_ID, "timestamp": 2**62}}
    with pytest.raises(OpenDataInvalid) as refusal:
        decrypt(encrypt(orjson.dumps(fields)))
    assert refusal.value.reason is OpenDataFault.NOT_RECENT
