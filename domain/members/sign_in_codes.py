"""Sign-in codes: six digits that prove a phone number, sent by text message; see `codes`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from domain.errors import SignInCodeInvalid, SignInCodeTooSoon, SmsUnavailable
from domain.members.codes import Codes, Compared, Recipient, Written
from domain.members.phone_keys import phone_vault
from domain.members.phones import lock_phone, parse_phone, readable_phones_of
from domain.storage import fetch_all, inside_transaction, transaction
from domain.texting import TextMessage, TextMessages

CODE_LIFE: Final = timedelta(minutes=5)

_CODES: Final = Codes(
    table="sign_in_code",
    column="phone_index",
    life=CODE_LIFE,
    invalid=lambda: SignInCodeInvalid(field=("code",)),
    too_soon=lambda retry_at: SignInCodeTooSoon(retry_at=retry_at),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSignInCode:
    """Send a code to a number (E.164), in words of this language."""

    phone: str = field(repr=False)
    language: Literal["zh", "en"] = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A code that was right when it was compared; it is good once, see `use_proof`."""

    phone: str = field(repr=False)
    compared: Compared


async def request_sign_in_code(
    command: RequestSignInCode, *, texts: TextMessages, now: datetime
) -> timedelta:
    """Send a code, whether the number is a member's or nobody's; after how long another may be.

    Raises SignInCodeTooSoon, SmsUnavailable (then the next try is not too soon, unless the code was
    perhaps sent), InvalidInput.
    """
    assert not inside_transaction(), "no network call inside a transaction"
    phone = parse_phone(command.phone)

    async def work() -> Written:
        await lock_phone(phone)
        return await _CODES.write(_recipient(phone), now=now)

    written = await transaction(work)
    try:
        await texts.send(phone, _message(written.code, command.language))
    except SmsUnavailable as failure:
        await _CODES.take_back(written, counts=failure.perhaps_sent)
        raise
    return await _CODES.was_sent(written)


async def prove_phone(phone: str, code: str, *, now: datetime) -> Proof:
    """Spend one try of the number's code and compare. Raises SignInCodeInvalid."""
    phone = parse_phone(phone)
    compared = await _CODES.compare(_recipient(phone), code, now=now)
    return Proof(phone=phone, compared=compared)


async def use_proof(proof: Proof, *, now: datetime) -> None:
    """Use the code up, with the transaction that it lets in. Raises SignInCodeInvalid."""
    await _CODES.use(proof.compared, now=now)


async def forget_sign_in_codes(*, now: datetime) -> int:
    """Delete what nobody can use and nothing counts any more; how many rows."""
    return await _CODES.forget(now=now)


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
    await _CODES.forget_sent_to(sorted(indexes))


def _recipient(phone: str) -> Recipient:
    vault = phone_vault()
    return Recipient(
        indexes=vault.indexes(phone),
        key_id=vault.key_id,
        digest=lambda code, salt, key_id: vault.code_digest(code, salt=salt, key_id=key_id),
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
