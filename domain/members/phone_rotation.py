"""New keys for phone numbers, while the service goes on.

A rotation has three steps. A fresh pair is *made known*: every process tries it in look-ups, none
writes with it. After LEAD, when nobody can hold an older file any more, it is *put in use*: whoever
binds a number writes with it from now on. Then all numbers are *sealed anew*, batch by batch, and
found by their new index as soon as a batch is committed. Each step is seen in the file or in the
rows, so that a rotation which was killed goes on where it stopped. The keys before stay in the file
until the next rotation begins, for whatever was written at the last moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from domain.access import secret_lock
from domain.members.phone_keys import (
    PhoneKeys,
    PhoneVault,
    new_phone_key,
    phone_vault,
    read_phone_keys,
    write_phone_keys,
)
from domain.members.phones import open_row
from domain.storage import Table, fetch_all, fetch_one, transaction

LEAD: Final = timedelta(seconds=5)
"""How long a pair is known before it is in use: longer than any transaction of a request."""

BATCH: Final = 500

_PHONE: Final = Table("member_phone", member_id="uuid", id="uuid", sealed="bytea", key_id="text")
_IDENTITY: Final = Table("member_identity", member_id="uuid", id="uuid", subject="text")


async def make_phone_keys_known(path: Path, *, now: datetime) -> datetime:
    """Begin a rotation, or find the one that was begun; when the new keys can be put in use.

    That moment lies in the past where they are in use already and numbers wait to be sealed anew.
    """
    unfinished = await phones_sealed_before(read_phone_keys(path)[0].id) > 0
    with secret_lock(path):
        keys = read_phone_keys(path)
        newest = _newest(keys)
        if newest == keys[0].id and not unfinished:
            # Nothing is sealed with the keys before any more: they go.
            # The newest is who was made last, whatever a clock that was put back says.
            made_at = max(now, keys[0].made_at + timedelta(microseconds=1))
            keys = (keys[0], new_phone_key(made_at))
            write_phone_keys(path, keys)
        return max(key.made_at for key in keys) + LEAD


def put_phone_keys_in_use(path: Path, *, now: datetime) -> str:
    """Let the newest keys be written with; their id. They must have been known for LEAD."""
    with secret_lock(path):
        keys = read_phone_keys(path)
        newest = _newest(keys)
        in_use = sorted(keys, key=lambda key: key.id != newest)
        assert in_use[0].made_at + LEAD <= now, "keys are known to everybody before they are used"
        if tuple(in_use) != keys:
            write_phone_keys(path, tuple(in_use))
        return newest


# Both are read in the index (key_id, id): what is sealed already is not read again for each batch.
_ANOTHER_KEY: Final = """
    SELECT (SELECT key_id FROM member_phone WHERE key_id < $1 ORDER BY key_id LIMIT 1) AS before,
        (SELECT key_id FROM member_phone WHERE key_id > $1 ORDER BY key_id LIMIT 1) AS after
"""
_SEALED_WITH: Final = """
    SELECT member_id, id, sealed, key_id FROM member_phone WHERE key_id = $1 AND id > $2
    ORDER BY id LIMIT $3 FOR UPDATE
"""


async def phones_sealed_before(key_id: str) -> int:
    """How many numbers are sealed with other keys than these."""
    row = await fetch_one("SELECT count(*) AS count FROM member_phone WHERE key_id <> $1", key_id)
    assert row is not None
    count: int = row["count"]
    return count


async def seal_phones_anew() -> AsyncIterator[int]:
    """Seal and index all numbers with the keys in use; after each batch, how many it had.

    Each batch is a transaction of its own. Any number of processes may do it at once.
    """
    while (key_id := await _another_key()) is not None:
        after: UUID | None = UUID(int=0)
        while after is not None:
            sealed, after = await transaction(partial(_seal_batch, key_id, after=after))
            if sealed:
                yield sealed


async def _another_key() -> str | None:
    """One of the keys other than those in use with which numbers are sealed."""
    row = await fetch_one(_ANOTHER_KEY, phone_vault().key_id)
    assert row is not None
    key_id: str | None = row["before"] or row["after"]
    return key_id


async def _seal_batch(key_id: str, *, after: UUID) -> tuple[int, UUID | None]:
    """How many numbers the batch had, and after which of this key the next one begins."""
    vault = phone_vault()
    rows = await fetch_all(_SEALED_WITH, key_id, after, BATCH)
    phones = {row["id"]: open_row(vault, row) for row in rows}
    await _PHONE.update(
        (
            {"member_id": row["member_id"], "id": row["id"], **_sealed(vault, row["id"].bytes, one)}
            for row in rows
            for one in (phones[row["id"]],)
        ),
        key=("member_id", "id"),
    )
    await _IDENTITY.update(
        (
            {
                "member_id": row["member_id"],
                "id": row["id"],
                "subject": vault.index(phones[row["id"]]),
            }
            for row in rows
        ),
        key=("member_id", "id"),
    )
    return len(rows), rows[-1]["id"] if len(rows) == BATCH else None


def _sealed(vault: PhoneVault, bound_to: bytes, phone: str) -> dict[str, object]:
    sealed = vault.seal(phone, bound_to=bound_to)
    return {"sealed": sealed.content, "key_id": sealed.key_id}


def _newest(keys: PhoneKeys) -> str:
    return max(keys, key=lambda key: key.made_at).id
