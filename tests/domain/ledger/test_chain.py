"""The hash chain: one entry followed byte for byte, with nothing but a JSON and a SHA-256."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import chain
from domain.ledger.entries import Changes, EntryKind, Texts

SALT = bytes(range(16))
TEXTS = Texts(reason='兑换 "10 元"', reference="coupon-10")
CANONICAL_TEXTS = '{"note":null,"reason":"兑换 \\"10 元\\"","reference":"coupon-10"}'.encode()
COMMITMENT = "b631cafa16726271d60d16f34e8438e1c096565094b08e94d517a6157fef5308"
CONTENT = (
    b'{"amount":-300,"available":-300,"balanceAfter":50,"debt":0,'
    b'"effectiveAt":"2026-03-01T04:00:00.000000Z","held":0,"kind":"REDEEM",'
    b'"member":"01a20561-c68e-7607-9dc0-72a415743b10","pending":0,'
    b'"recordedAt":"2026-03-01T04:00:00.000001Z","reverses":null,"seq":2,"source":"reward",'
    b'"texts":"' + COMMITMENT.encode() + b'"}'
)
CONTENT_HASH = "c6c84e516942c6aa8791b50051f81faec5f336b487e90c89be483f6f8bd13468"
PREVIOUS = bytes.fromhex("11" * 32)
HASH = "9d2d1496724f264da895f9a6437fe1c2b51db6c869975a9bb7e911efa589b0b5"


def content(*, kind: EntryKind = EntryKind.REDEEM, reverses: int | None = None) -> bytes:
    return chain.canonical_content(
        member_id=UUID("01a20561-c68e-7607-9dc0-72a415743b10"),
        seq=2,
        kind=kind,
        amount=-300,
        changes=Changes(available=-300),
        balance_after=50,
        effective_at=datetime(2026, 3, 1, 12, tzinfo=ZoneInfo("Asia/Shanghai")),
        recorded_at=datetime(2026, 3, 1, 4, 0, 0, 1, tzinfo=UTC),
        source_kind="reward",
        reverses=reverses,
        commitment=bytes.fromhex(COMMITMENT),
    )


def test_the_commitment_of_the_texts() -> None:
    commitment = chain.text_commitment(TEXTS, salt=SALT).hex()
    assert commitment == COMMITMENT == hashlib.sha256(SALT + CANONICAL_TEXTS).hexdigest()


def test_the_canonical_content_and_its_hash() -> None:
    assert content() == CONTENT
    assert hashlib.sha256(content()).hexdigest() == CONTENT_HASH


def test_the_link_to_the_previous_entry() -> None:
    content_hash = bytes.fromhex(CONTENT_HASH)
    assert chain.link(PREVIOUS, content_hash=content_hash).hex() == HASH
    assert hashlib.sha256(PREVIOUS + content_hash).hexdigest() == HASH


def test_every_part_of_the_content_is_sealed() -> None:
    assert content(reverses=1) != content()
    assert content(kind=EntryKind.EXPIRE) != content()


def test_the_first_entry_follows_thirty_two_zero_bytes() -> None:
    assert bytes(32) == chain.GENESIS


def test_the_same_words_under_another_salt_give_another_commitment() -> None:
    other = chain.text_commitment(TEXTS, salt=bytes(16))
    assert other != chain.text_commitment(TEXTS, salt=SALT)


def test_no_text_is_not_the_same_as_an_empty_text() -> None:
    none = chain.text_commitment(Texts(), salt=SALT)
    assert none != chain.text_commitment(Texts(reason=""), salt=SALT)
