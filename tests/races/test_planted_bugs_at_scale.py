"""The bank and the storm of duplicates find planted bugs too, each by its name.

The bugs are planted from outside; the product has no switch for them.
"""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from domain import idempotency
from domain.ledger import store
from tests.races.banking import Bank, run_bank
from tests.races.contention import Gate
from tests.races.storming import AT_ONCE, storm
from tests.races.test_duplicate_storm import lock_all, opened, wrongs

pytestmark = pytest.mark.faults

UNLOCKED = store._LOCK_ACCOUNTS.replace("FOR NO KEY UPDATE", "")
KEYS, TIMES = 10, 10


async def bank_finds(url: str, gate: Gate) -> set[str]:
    """What the bank finds wrong within a second."""
    bank = await Bank(url).opened()
    await run_bank(bank, gate, lasting_s=1.0, postings=10, reads=2)
    return set(bank.found)


async def test_a_missing_lock_is_found_by_the_bank(
    postgres: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who post at once write the same number: the journal's key stands in their way, or the
    next one finds an account that is not what its journal says."""
    assert UNLOCKED != store._LOCK_ACCOUNTS
    monkeypatch.setattr(store, "_LOCK_ACCOUNTS", UNLOCKED)
    found = await bank_finds(postgres, gate)
    assert "a writer does not wait for the lock" in found
    assert found & {"a writer failed: IntegrityError", "a writer failed: AccountFrozen"}


async def test_a_missing_unique_key_is_found_by_the_storm(
    postgres: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody finds a key that was used, and nothing refuses to write it twice."""

    async def recall_nothing(*_: object) -> dict[str, idempotency.Recalled]:
        return {}

    monkeypatch.setattr(idempotency, "recall", recall_nothing)
    connection = await asyncpg.connect(postgres)
    await connection.execute("ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey")
    await connection.close()
    await opened()
    await lock_all(gate)
    told = asyncio.create_task(storm(KEYS, TIMES, seed=1))
    await gate.open(waiting=AT_ONCE)
    assert set(await wrongs(KEYS, TIMES, [await told])) >= {
        "one key has different answers",
        "one key took effect more than once",
        "the journal has not one entry of each key",
    }
