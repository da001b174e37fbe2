"""The text of refresh tokens."""

from __future__ import annotations

import base64
import hashlib
from uuid import UUID

import pytest

from domain.members.refresh_tokens import new_refresh_token, parse_refresh_token

MEMBER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SESSION = UUID("01890a5d-ac96-774b-bcce-b302099a8058")


def test_a_token_spells_its_ids_and_a_secret() -> None:
    token = new_refresh_token(member_id=MEMBER, session_id=SESSION)
    assert token.text.startswith("jrt_AYkKXayWd0u8zrMCCZqAVwGJCl2slndLvM6zAgmagF")
    assert len(token.text) == 90
    raw = base64.urlsafe_b64decode(token.text[4:] + "==")
    assert (raw[:16], raw[16:32], len(raw)) == (MEMBER.bytes, SESSION.bytes, 64)
    assert parse_refresh_token(token.text) == token
    assert token.digest == hashlib.sha256(token.text.encode()).hexdigest()
    assert token.text not in repr(token)


def test_no_two_tokens_are_alike() -> None:
    texts = {new_refresh_token(member_id=MEMBER, session_id=SESSION).text for _ in range(1000)}
    assert len(texts) == 1000


GOOD = new_refresh_token(member_id=MEMBER, session_id=SESSION).text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jrt_",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "==",
        GOOD.replace("jrt_", "jat_"),
        GOOD.upper(),
        " " + GOOD[:-1],
        GOOD[:-1] + "\x00",
        GOOD[:-1] + "é",
        GOOD[:-1] + "\ud800",
        GOOD[:50] + "+" + GOOD[51:],
        GOOD[:50] + "\n" + GOOD[51:],
        "A" * 1_000_000,
    ],
    ids=lambda text: repr(text[:12]) + str(len(text)),
)
def test_what_is_no_token(text: str) -> None:
    assert parse_refresh_token(text) is None


def test_only_one_spelling_is_accepted() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(GOOD[-1])
    # The last character carries two bits; sixteen spellings of it mean the same bytes.
    twins = [GOOD[:-1] + alphabet[last & 0b110000 | slack] for slack in range(16)]
    assert [twin for twin in twins if parse_refresh_token(twin) is not None] == [GOOD]
