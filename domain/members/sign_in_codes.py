"""Sign-in codes: six digits that prove a phone number, sent by text message.

A code is good once, for five minutes and five tries. A number gets another one after a minute, ten
in a day that begins with the first of them: nobody guesses more than fifty times in such a day
among a million, nor more than a hundred times in any 24 hours, however many addresses, devices and
aliases they use. Codes are stored as a keyed digest under the number's blind index: whoever reads
the database learns neither. A code can be tried once it was surely sent, so that no guess is bought
by a sender that fails; and it counts unless it was surely not, so that none lifts the limit.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from domain.errors import SignInCodeInvalid, SignInCodeTooSoon, SmsUnavailable
from domain.members.phone_keys import phone_vault
from domain.members.phones import lock_phone, parse_phone, readable_phones_of
from domain.storage import Row, execute, fetch_all, fetch_one, inside_transaction, transaction
from domain.texting import TextMessage, TextMessages

CODE_DIGITS: Final = 6
CODE_LIFE: Final = timedelta(minutes=5)
TRIES_MAX: Final = 5
RESEND_AFTER: Final = timedelta(seconds=60)
SENT_MAX: Final = 10
"""How often a number gets a code within WINDOW."""

WINDOW: Final = timedelta(days=1)

_CODE: Final = re.compile(r"[0-9]{6}")

_COLUMNS: Final = (
    "phone_index, key_id, salt, digest, sent_at, expires_at, tries_left, window_from, "
    "sent_in_window"
)

# Written by a statement of its own transaction, before anything is compared: of any number of
# guesses at once no more than TRIES_MAX get past it.
_SPEND_TRY: Final = """
    UPDATE sign_in_code SET tries_left = tries_left - 1
    WHERE phone_index = ANY($1::text[]) AND tries_left > 0 AND digest IS NOT NULL
        AND expires_at > $2
    RETURNING phone_index, key_id, salt, digest
"""

_CONSUME: Final = """
    UPDATE sign_in_code SET digest = NULL, tries_left = 0
    WHERE phone_index = $1 AND digest = $2 AND expires_at > $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSignInCode:
    """Send a code to a number (E.164), in words of this language."""

    phone: str = field(repr=False)
    language: Literal["zh", "en"] = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A code that was right when it was compared; it is good once, see `use_proof`."""

    phone: str = field(repr=False)
    phone_index: str
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A code that is stored and not sent yet; `before` is the row that it replaced."""

    phone_index: str
    salt: str
    before: Row | None


async def request_sign_in_code(
    command: RequestSignInCode, *, texts: TextMessages, now: datetime
) -> timedelta:
    """Send a code, whether the number is a member's or nobody's; after how long another may be.

    Raises SignInCodeTooSoon, SmsUnavailable (then the next try is not too soon, unless the code was
    perhaps sent), InvalidInput.
    """
    assert not inside_transaction(), "no network call inside a transaction"
    phone = parse_phone(command.phone)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    written = await transaction(lambda: _write(phone, code, now=now))
    try:
        await texts.send(phone, _message(code, command.language))
    except SmsUnavailable as failure:
        counts = failure.perhaps_sent
        await transaction(lambda: _take_back(written, counts=counts))
        raise
    await execute(
        "UPDATE sign_in_code SET tries_left = $3 WHERE phone_index = $1 AND salt = $2",
        *(written.phone_index, written.salt, TRIES_MAX),
    )
    return RESEND_AFTER


async def prove_phone(phone: str, code: str, *, now: datetime) -> Proof:
    """Spend one try of the number's code and compare. Raises SignInCodeInvalid.

    What is no six digits is no guess and spends none. Whether a code is wrong, old or was never
    asked for is not told: somebody else may have asked for it.
    """
    assert not inside_transaction(), "a try must stay spent whatever becomes of the sign-in"
    phone = parse_phone(phone)
    if _CODE.fullmatch(code) is None:
        raise SignInCodeInvalid(field=("code",))
    vault = phone_vault()
    indexes = list(vault.indexes(phone))
    row = await transaction(lambda: fetch_one(_SPEND_TRY, indexes, now))
    if row is None:
        raise SignInCodeInvalid(field=("code",))
    digest = vault.code_digest(code, salt=row["salt"], key_id=row["key_id"])
    if digest is None or not hmac.compare_digest(digest, row["digest"]):
        raise SignInCodeInvalid(field=("code",))
    return Proof(phone=phone, phone_index=row["phone_index"], digest=digest)


async def use_proof(proof: Proof, *, now: datetime) -> None:
    """Use the code up, with the transaction that it lets in. Raises SignInCodeInvalid."""
    assert inside_transaction(), "a code is used up by what it lets in"
    if not await execute(_CONSUME, proof.phone_index, proof.digest, now):
        raise SignInCodeInvalid(field=("code",))


async def forget_sign_in_codes(*, now: datetime) -> int:
    """Delete what nobody can use and nothing counts any more; how many rows."""
    return await execute(
        "DELETE FROM sign_in_code WHERE expires_at < $1 AND window_from < $2", now, now - WINDOW
    )


async def forget_codes_of(member_ids: Collection[UUID]) -> None:
    """Delete the codes of all numbers of these members, who are forgotten.

    By the index that an identity is; so it needs no key, nor a number that can still be opened.
    While keys change a code may stand under the index of another one: it is found by opening the
    number, and where that cannot be, it goes with all that `forget_sign_in_codes` deletes: within
    a day, and five minutes after it was sent it is good for nothing.
    """
    rows = await fetch_all(
        "SELECT subject FROM member_identity WHERE kind = 'phone' AND member_id = ANY($1::uuid[])",
        list(member_ids),
    )
    indexes = {row["subject"] for row in rows}
    for phone in await readable_phones_of(member_ids):
        indexes.update(phone_vault().indexes(phone))
    await execute("DELETE FROM sign_in_code WHERE phone_index = ANY($1::text[])", sorted(indexes))


async def _write(phone: str, code: str, *, now: datetime) -> _Written:
    """Write a code that cannot be tried yet. Raises SignInCodeTooSoon."""
    await lock_phone(phone)
    vault = phone_vault()
    before = await fetch_one(
        f"SELECT {_COLUMNS} FROM sign_in_code WHERE phone_index = ANY($1::text[])",
        list(vault.indexes(phone)),
    )
    window_from, sent = _window(before, now=now)
    if before is not None:
        await execute("DELETE FROM sign_in_code WHERE phone_index = $1", before["phone_index"])
    phone_index, salt = vault.index(phone), secrets.token_hex(16)
    digest = vault.code_digest(code, salt=salt)
    await _insert(
        *(phone_index, vault.key_id, salt, digest, now, now + CODE_LIFE, 0),
        *(window_from, sent + 1),
    )
    return _Written(phone_index=phone_index, salt=salt, before=before)


def _window(before: Row | None, *, now: datetime) -> tuple[datetime, int]:
    """Since when codes are counted, and how many were sent since. Raises SignInCodeTooSoon."""
    if before is None:
        return now, 0
    if now < before["sent_at"] + RESEND_AFTER:
        raise SignInCodeTooSoon(retry_at=before["sent_at"] + RESEND_AFTER)
    if now >= before["window_from"] + WINDOW:
        return now, 0
    if before["sent_in_window"] >= SENT_MAX:
        raise SignInCodeTooSoon(retry_at=before["window_from"] + WINDOW)
    return before["window_from"], before["sent_in_window"]


async def _take_back(written: _Written, *, counts: bool) -> None:
    """The code before one that did not go out, unless yet another was written.

    One that was perhaps sent counts: it stands for the limits, and cannot be tried.
    """
    row = await fetch_one(
        "SELECT sent_at, window_from, sent_in_window FROM sign_in_code"
        " WHERE phone_index = $1 AND salt = $2",
        *(written.phone_index, written.salt),
    )
    if row is None or (counts and written.before is None):
        return
    await execute(
        "DELETE FROM sign_in_code WHERE phone_index = $1 AND salt = $2",
        *(written.phone_index, written.salt),
    )
    if written.before is not None:
        before = dict(written.before) | (dict(row) if counts else {})
        await _insert(*(before[column] for column in _COLUMNS.split(", ")))


async def _insert(*row: object) -> None:
    await execute(
        f"INSERT INTO sign_in_code ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", *row
    )


def _message(code: str, language: Literal["zh", "en"]) -> TextMessage:
    minutes = int(CODE_LIFE.total_seconds() // 60)
    text = (
        f"您的验证码是 {code}，{minutes} 分钟内有效，请勿告诉他人。"
        if language == "zh"
        else f"Your code is {code}. It is good for {minutes} minutes; tell it to nobody."
    )
    return TextMessage(
        template="sign_in_code",
        values={"code": code, "minutes": str(minutes)},
        text=text,
        language=language,
    )
