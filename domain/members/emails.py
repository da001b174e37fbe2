"""E-mail addresses of members: proved by a code, kept sealed, opened only to write to them.

An address is a way to reach somebody, not a way in: it leads to nobody, and two members may share
one. It is sealed with a key that is derived from the pepper of the phone keys, so that a rotation
of those leaves it as it is (decisions/0016). A record says what its address is, or that there is
none any more; where it never said anything, the newest address of a record that was joined to it
counts, so that two who are parted have each their own again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import EmailCodeInvalid, EmailCodeTooSoon, EmailRefused, EmailUnavailable
from domain.mailing import Mail, Mails, clean_email, mask_email, same_mailbox
from domain.members.codes import Codes, Recipient, Written
from domain.members.email_askers import (
    count_one_less,
    count_sent,
    forget_askers,
    forget_these_askers,
)
from domain.members.phone_keys import phone_vault
from domain.members.standing import lock_member, records_of
from domain.outbox import Event, announce
from domain.storage import (
    Row,
    dialect,
    execute,
    fetch_all,
    inside_transaction,
    transaction,
)

EMAIL_CODE_LIFE: Final = timedelta(minutes=30)
_NONCE_BYTES: Final = 12
_SEALING: Final = b"email-sealing"
_INDEXING: Final = b"email-indexing"
_KEY_ID: Final = "derived1"
"""Stands where codes name their key: this one is never another."""

_CODES: Final = Codes(
    table="email_code",
    column="email_index",
    life=EMAIL_CODE_LIFE,
    invalid=lambda: EmailCodeInvalid(field=("code",)),
    too_soon=lambda retry_at: EmailCodeTooSoon(retry_at=retry_at),
)

# The records that lead to a member, told from the member's own by `is_own`.
_ADDRESSES: Final = """
    WITH RECURSIVE record (member_id, id) AS (
        SELECT m.id, m.id FROM member AS m WHERE m.id = ANY($1::uuid[])
        UNION
        SELECT r.member_id, m.id FROM record AS r JOIN member AS m ON m.merged_into = r.id
    )
    SELECT r.member_id, e.member_id AS record_id, e.sealed FROM record AS r
    JOIN member_email AS e ON e.member_id = r.id
    ORDER BY r.member_id, CASE WHEN e.member_id = r.member_id THEN 1 ELSE 0 END, e.set_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEmail:
    """Send a code to the address that the member wants to be written to, in this language."""

    member_id: UUID
    email: str = field(repr=False)
    language: Literal["zh", "en"] = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmEmail:
    """The address, and the code that was sent there when this member asked."""

    member_id: UUID
    email: str = field(repr=False)
    code: str = field(repr=False)


async def set_email(command: SetEmail, *, mails: Mails, now: datetime) -> timedelta:
    """Send a code to the address; after how long another may be sent. Nothing is set by it.

    Raises InvalidInput, EmailCodeTooSoon, EmailRefused and EmailUnavailable; after the last two the
    next try is not too soon, unless the code was perhaps sent. What a member had sent is counted
    over all addresses, too, also what was refused: nobody writes to everybody in our name.
    """
    assert not inside_transaction(), "no network call inside a transaction"
    email, asker = clean_email(command.email), _asker(command.member_id)

    async def work() -> Written:
        await _lock_email(email)
        written = await _CODES.write(_recipient(email, command.member_id), now=now)
        await count_sent(asker, now=now)
        return written

    written = await transaction(work)
    try:
        await mails.send(_mail(email, written, language=command.language, now=now))
    except EmailUnavailable as failure:
        await _CODES.take_back(written, counts=failure.perhaps_sent)
        if not failure.perhaps_sent:
            await count_one_less(asker)
        raise
    except EmailRefused as refusal:
        await _CODES.take_back(written, counts=False)
        refusal.field = ("email",)
        raise
    return await _CODES.was_sent(written)


async def confirm_email(command: ConfirmEmail, *, now: datetime) -> UUID:
    """Let the address be the member's, in place of another one; the id of who they are now.

    Raises InvalidInput and EmailCodeInvalid. The code is used up with what it sets.
    """
    email = clean_email(command.email)
    recipient = _recipient(email, command.member_id)
    compared = await _CODES.compare(recipient, command.code, now=now)

    async def work() -> UUID:
        await _CODES.use(compared, now=now)
        member_id = await lock_member(command.member_id)
        await _write(member_id, _seal(email, bound_to=member_id), now=now)
        return member_id

    return await transaction(work)


async def remove_email(member_id: UUID, *, now: datetime) -> UUID:
    """Let the member have no address; the id of who they are now. Without one nothing changes."""

    async def work() -> UUID:
        standing = await lock_member(member_id)
        if await emails_of([standing]):
            await _write(standing, None, now=now)
        return standing

    return await transaction(work)


async def emails_of(member_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The address of each member who has one; in one statement.

    One that cannot be opened, its row damaged, is none.
    """
    rows = await fetch_all(_ADDRESSES, list(member_ids))
    # Later ones count: the newest, and the member's own before all.
    newest = {row["member_id"]: row for row in rows}
    found = {}
    for member_id, row in newest.items():
        with suppress(InvalidTag):
            if row["sealed"] is not None:
                found[member_id] = _open(row)
    return found


async def email_masked(member_id: UUID) -> str | None:
    """Enough of the member's address for its owner; None where there is none."""
    email = (await emails_of([member_id])).get(member_id)
    return None if email is None else mask_email(email)


async def all_emails_of(member_ids: Collection[UUID]) -> list[str]:
    """All addresses that these records name and that can be opened."""
    rows = await fetch_all(
        "SELECT member_id AS record_id, sealed FROM member_email"
        " WHERE member_id = ANY($1::uuid[]) AND sealed IS NOT NULL ORDER BY set_at, member_id",
        list(member_ids),
    )
    found = []
    for row in rows:
        with suppress(InvalidTag):
            found.append(_open(row))
    return found


async def forget_email_codes(*, now: datetime) -> int:
    """Delete the codes that nobody can use and that nothing counts any more; how many."""
    return await _CODES.forget(now=now) + await forget_askers(now=now)


async def forget_email_codes_of(member_ids: Collection[UUID]) -> None:
    """Delete the codes that were sent to the addresses of these members, who are forgotten.

    One that was sent to an address which was never confirmed goes with `forget_email_codes`, a day
    later: nothing tells whose it was.
    """
    records = await records_of(member_ids)
    emails = await all_emails_of(records)
    await _CODES.forget_sent_to([_index(one) for one in emails])
    await forget_these_askers([_asker(one) for one in records])


async def _write(member_id: UUID, sealed: bytes | None, *, now: datetime) -> None:
    await execute(
        "INSERT INTO member_email (member_id, sealed, set_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (member_id) DO UPDATE SET sealed = excluded.sealed, set_at = excluded.set_at",
        *(member_id, sealed, now),
    )
    # Never the address: an event outlives an erasure.
    facts = {"removed": sealed is None}
    await announce([Event(kind="EmailSet", member_id=member_id, facts=facts)], now=now)


async def _lock_email(email: str) -> None:
    """Wait for others who ask for codes of this address, until they have committed."""
    if dialect() == "postgres":
        key = int.from_bytes(bytes.fromhex(_index(email))[:8], signed=True)
        await execute("SELECT pg_advisory_xact_lock($1)", key)


def _recipient(email: str, member_id: UUID) -> Recipient:
    """The address, for this member: another who learns the code has none of it."""
    vault = phone_vault()

    def digest(code: str, salt: str, key_id: str | None) -> str:
        text = f"{salt}:{member_id}:{code}".encode()
        return hmac.new(vault.derived(_INDEXING), b"code\0" + text, hashlib.sha256).hexdigest()

    return Recipient(indexes=[_index(email)], key_id=_KEY_ID, digest=digest)


def _index(email: str) -> str:
    mailbox = b"email\0" + same_mailbox(email).encode()
    return hmac.new(phone_vault().derived(_INDEXING), mailbox, hashlib.sha256).hexdigest()


def _asker(member_id: UUID) -> str:
    whose = b"asker\0" + member_id.bytes
    return hmac.new(phone_vault().derived(_INDEXING), whose, hashlib.sha256).hexdigest()


def _seal(email: str, *, bound_to: UUID) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealing = AESGCM(phone_vault().derived(_SEALING))
    return nonce + sealing.encrypt(nonce, email.encode(), bound_to.bytes)


def _open(row: Row) -> str:
    content, record_id = bytes(row["sealed"]), row["record_id"]
    sealing = AESGCM(phone_vault().derived(_SEALING))
    opened = sealing.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], record_id.bytes)
    return opened.decode()


def _mail(email: str, written: Written, *, language: Literal["zh", "en"], now: datetime) -> Mail:
    minutes = int(EMAIL_CODE_LIFE.total_seconds() // 60)
    code = written.code
    if language == "zh":
        subject = f"验证码 {code}"
        text = (
            f"您的验证码是 {code}，{minutes} 分钟内有效，请勿告诉他人。\n\n"
            "如果不是您本人操作，请忽略此邮件。\n"
        )
    else:
        subject = f"Your code is {code}"
        text = (
            f"Your code is {code}. It is good for {minutes} minutes; tell it to nobody.\n\n"
            "If you did not ask for it, do nothing.\n"
        )
    # The salt is another one for each code, and tells nothing.
    return Mail(reference=f"code-{written.salt}", to=email, subject=subject, text=text, at=now)
