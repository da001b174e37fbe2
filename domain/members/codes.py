"""Codes of six digits that prove that somebody reads what is sent to a number, or to an address.

A code is good once, for a while and five tries. Whom it is sent to gets another one after a minute,
ten in a day that begins with the first of them: nobody guesses more than fifty times in such a day
among a million, nor more than a hundred times in any 24 hours, however many addresses, devices and
aliases they use. Codes are stored as a keyed digest under the blind index of whom they were sent
to: whoever reads the database learns neither. A code can be tried once it was surely sent, so that
no guess is bought by a sender that fails; and it counts unless it was surely not, so that none
lifts the limit.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from domain.errors import Refusal
from domain.storage import Row, execute, fetch_one, inside_transaction, transaction

CODE_DIGITS: Final = 6
TRIES_MAX: Final = 5
RESEND_AFTER: Final = timedelta(seconds=60)
SENT_MAX: Final = 10
"""How often somebody gets a code within WINDOW."""

WINDOW: Final = timedelta(days=1)

_CODE: Final = re.compile(r"[0-9]{6}")

_REST: Final = "key_id, salt, digest, sent_at, expires_at, tries_left, window_from, sent_in_window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom a code is sent to: the index under each key, the one in use first.

    `digest` makes what is stored of a code from it, its salt and the id of a key, the one in use
    where none is named; None where that key is there no more.
    """

    indexes: Sequence[str] = field(repr=False)
    key_id: str
    digest: Callable[[str, str, str | None], str | None] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A code that is stored and cannot be tried yet; `before` is the row that it replaced."""

    index: str
    code: str = field(repr=False)
    salt: str
    before: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A code that was right when it was compared; it is good once, see `Codes.use`."""

    index: str
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """The codes of one kind: in which table, under which column, for how long, refused how."""

    table: str
    column: str
    life: timedelta
    invalid: Callable[[], Refusal]
    too_soon: Callable[[datetime], Refusal]

    async def write(self, recipient: Recipient, *, now: datetime) -> Written:
        """Write a code that cannot be tried yet. Raises `too_soon`.

        Inside a transaction that holds a lock of the recipient's.
        """
        assert inside_transaction(), "of two who ask at once the second finds what the first wrote"
        before = await fetch_one(
            f"SELECT {self._columns} FROM {self.table} WHERE {self.column} = ANY($1::text[])",
            list(recipient.indexes),
        )
        window_from, sent = self._window(before, now=now)
        if before is not None:
            await self._delete(before[self.column], before["salt"])
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        index, salt = recipient.indexes[0], secrets.token_hex(16)
        digest = recipient.digest(code, salt, None)
        await self._insert(
            *(index, recipient.key_id, salt, digest, now, now + self.life, 0),
            *(window_from, sent + 1),
        )
        return Written(index=index, code=code, salt=salt, before=before)

    async def was_sent(self, written: Written) -> timedelta:
        """Let the code be tried; after how long another may be asked for."""
        await execute(
            f"UPDATE {self.table} SET tries_left = $3 WHERE {self.column} = $1 AND salt = $2",
            *(written.index, written.salt, TRIES_MAX),
        )
        return RESEND_AFTER

    async def take_back(self, written: Written, *, counts: bool) -> None:
        """The code before one that did not go out, unless yet another was written.

        One that was perhaps sent counts: it stands for the limits, and cannot be tried.
        """
        await transaction(lambda: self._take_back(written, counts=counts))

    async def _take_back(self, written: Written, *, counts: bool) -> None:
        row = await fetch_one(
            f"SELECT sent_at, window_from, sent_in_window FROM {self.table}"
            f" WHERE {self.column} = $1 AND salt = $2",
            *(written.index, written.salt),
        )
        if row is None or (counts and written.before is None):
            return
        await self._delete(written.index, written.salt)
        if written.before is not None:
            before = dict(written.before) | (dict(row) if counts else {})
            await self._insert(*(before[column] for column in self._columns.split(", ")))

    async def compare(self, recipient: Recipient, code: str, *, now: datetime) -> Compared:
        """Spend one try of the recipient's code and compare. Raises `invalid`.

        What is no six digits is no guess and spends none. Whether a code is wrong, old or was never
        asked for is not told: somebody else may have asked for it.
        """
        assert not inside_transaction(), "a try must stay spent whatever becomes of it"
        if _CODE.fullmatch(code) is None:
            raise self.invalid()
        row = await transaction(lambda: self._spend_try(list(recipient.indexes), now=now))
        if row is None:
            raise self.invalid()
        digest = recipient.digest(code, row["salt"], row["key_id"])
        if digest is None or not hmac.compare_digest(digest, row["digest"]):
            raise self.invalid()
        return Compared(index=row[self.column], digest=digest)

    # Written by a statement of its own transaction, before anything is compared: of any number of
    # guesses at once no more than TRIES_MAX get past it.
    async def _spend_try(self, indexes: list[str], *, now: datetime) -> Row | None:
        return await fetch_one(
            f"UPDATE {self.table} SET tries_left = tries_left - 1"
            f" WHERE {self.column} = ANY($1::text[]) AND tries_left > 0 AND digest IS NOT NULL"
            f" AND expires_at > $2 RETURNING {self.column}, key_id, salt, digest",
            *(indexes, now),
        )

    async def use(self, compared: Compared, *, now: datetime) -> None:
        """Use the code up, with the transaction that it lets in. Raises `invalid`."""
        assert inside_transaction(), "a code is used up by what it lets in"
        if not await execute(
            f"UPDATE {self.table} SET digest = NULL, tries_left = 0"
            f" WHERE {self.column} = $1 AND digest = $2 AND expires_at > $3",
            *(compared.index, compared.digest, now),
        ):
            raise self.invalid()

    async def forget(self, *, now: datetime) -> int:
        """Delete what nobody can use and nothing counts any more; how many rows."""
        return await execute(
            f"DELETE FROM {self.table} WHERE expires_at < $1 AND window_from < $2",
            *(now, now - WINDOW),
        )

    async def forget_sent_to(self, indexes: Sequence[str]) -> None:
        """Delete the codes of these recipients."""
        await execute(
            f"DELETE FROM {self.table} WHERE {self.column} = ANY($1::text[])", list(indexes)
        )

    def _window(self, before: Row | None, *, now: datetime) -> tuple[datetime, int]:
        """Since when codes are counted, and how many were sent since. Raises `too_soon`."""
        if before is None:
            return now, 0
        if now < before["sent_at"] + RESEND_AFTER:
            raise self.too_soon(before["sent_at"] + RESEND_AFTER)
        if now >= before["window_from"] + WINDOW:
            return now, 0
        if before["sent_in_window"] >= SENT_MAX:
            raise self.too_soon(before["window_from"] + WINDOW)
        return before["window_from"], before["sent_in_window"]

    @property
    def _columns(self) -> str:
        return f"{self.column}, {_REST}"

    async def _delete(self, index: str, salt: str) -> None:
        await execute(
            f"DELETE FROM {self.table} WHERE {self.column} = $1 AND salt = $2", index, salt
        )

    async def _insert(self, *row: object) -> None:
        await execute(
            f"INSERT INTO {self.table} ({self._columns})"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            *row,
        )
