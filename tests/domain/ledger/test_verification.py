"""Verification finds every kind of tampering by a superuser, and names the rule that is broken."""

from __future__ import annotations

import pytest

from domain.ledger import post, store, verify_account
from domain.storage import dialect, execute, fetch_all, fetch_one
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")

CONTENT_HASH = "(SELECT e.content_hash FROM points_entry AS e WHERE e.seq = 3)"
SALT = "(SELECT t.salt FROM points_entry_text AS t WHERE t.seq = 2)"
"""Bytes of the right length, from elsewhere."""

TAMPERINGS: dict[str, tuple[str, list[str]]] = {
    # What is done to an account, and the rules that it breaks.
    "nothing": ("SELECT 1", []),
    "points are given": (
        "UPDATE points_account SET available = available + 1",
        ["sum", "lots"],
    ),
    "pending points are given": (
        "UPDATE points_account SET pending = pending + 1",
        ["sum", "pending lots"],
    ),
    "held points are given": ("UPDATE points_account SET held = 1", ["sum", "lots"]),
    "debt is made": ("UPDATE points_account SET available = 0, debt = 1", ["sum", "sum", "lots"]),
    "the version is raised": ("UPDATE points_account SET version = version + 1", ["version"]),
    "the head is replaced": (f"UPDATE points_account SET head_hash = {CONTENT_HASH}", ["head"]),
    "the account is removed": ("DELETE FROM points_account", ["account"]),
    "an amount is changed": (
        "UPDATE points_entry SET amount = 101, available_change = 101 WHERE seq = 1",
        ["sum", "balance_after", "balance_after", "balance_after", "chain"],
    ),
    "a balance is changed": (
        "UPDATE points_entry SET balance_after = 99 WHERE seq = 1",
        ["balance_after", "chain"],
    ),
    "a moment is changed": (
        "UPDATE points_entry SET effective_at = recorded_at WHERE seq = 1",
        ["chain"],
    ),
    "a source is changed": (
        "UPDATE points_entry SET source_kind = 'gift' WHERE seq = 3",
        ["chain"],
    ),
    "a kind is changed": ("UPDATE points_entry SET kind = 'ADJUST' WHERE seq = 3", ["chain"]),
    "a content hash is changed": (
        "UPDATE points_entry SET content_hash = hash WHERE seq = 2",
        ["chain"],
    ),
    "a hash is changed": (
        "UPDATE points_entry SET hash = content_hash WHERE seq = 2",
        # The next entry no longer follows from what stands before it.
        ["chain", "chain"],
    ),
    "the last entry is removed": (
        "DELETE FROM points_entry WHERE seq = 3",
        ["sum", "version", "head"],
    ),
    "an entry is removed": (
        "DELETE FROM points_entry WHERE seq = 2",
        ["sum", "version", "gapless", "chain"],
    ),
    "a reason is changed": (
        "UPDATE points_entry_text SET reason = 'another' WHERE seq = 3",
        ["texts"],
    ),
    "a reference is changed": (
        "UPDATE points_entry_text SET reference = 'order-2' WHERE seq = 1",
        ["texts"],
    ),
    "a salt is changed": (f"UPDATE points_entry_text SET salt = {SALT} WHERE seq = 1", ["texts"]),
    "spent points come back": (
        "UPDATE points_lot SET remaining = earned WHERE lot_seq = 1",
        ["draws", "lots"],
    ),
    "points of a lot are lost": (
        "UPDATE points_lot SET remaining = remaining - 1 WHERE lot_seq = 1",
        ["draws", "lots"],
    ),
    "a lot is made larger": (
        "UPDATE points_lot SET earned = 200, remaining = 170 WHERE lot_seq = 1",
        ["lots"],
    ),
    "a lot matures early": (
        "UPDATE points_lot SET pending = FALSE WHERE lot_seq = 2",
        ["lots", "pending lots"],
    ),
    "a lot is removed": ("DELETE FROM points_lot WHERE lot_seq = 1", ["lots"]),
    "a draw is removed": ("DELETE FROM points_draw", ["draws"]),
    "a draw is changed": ("UPDATE points_draw SET amount = 29", ["draws"]),
    "a draw is moved to another lot": ("UPDATE points_draw SET lot_seq = 2", ["draws", "draws"]),
}

_UNGUARDED = {
    "postgres": [
        f"DROP TRIGGER {table}_append_only ON {table}" for table in ("points_entry", "points_draw")
    ],
    "sqlite": [
        f"DROP TRIGGER {table}_no_{verb}"
        for table in ("points_entry", "points_draw")
        for verb in ("update", "delete")
    ],
}


_TABLES = (store._ACCOUNTS, store._ENTRIES, store._TEXTS, store._LOTS, store._DRAWS)


async def rules_broken_by(statement: str) -> list[str]:
    """The rules that the statement breaks; afterwards everything is as it was."""
    sound = {
        table: [dict(row) for row in await fetch_all(f"SELECT * FROM {table.name}")]
        for table in _TABLES
    }
    await execute(statement)
    found = [violation.rule for violation in await verify_account(ALICE)]
    for table, rows in sound.items():
        await execute(f"DELETE FROM {table.name}")
        await table.insert(rows)
    return found


async def _history() -> None:
    """Alice's: 100 earned yesterday, 50 pending, 30 spent."""
    await post([earn(100, at=NOW - days(1)), earn(50, matures=NOW + days(7))], now=NOW)
    await post([redeem(30, reason="a coupon")], now=NOW)


async def test_each_kind_of_tampering_breaks_its_rules() -> None:
    await _history()
    for guard in _UNGUARDED[dialect()]:
        await execute(guard)
    broken = {
        tampering: await rules_broken_by(statement)
        for tampering, (statement, _) in TAMPERINGS.items()
    }
    assert broken == {tampering: rules for tampering, (_, rules) in TAMPERINGS.items()}


async def test_a_violation_says_what_is_wrong_and_with_whom() -> None:
    await _history()
    await execute("UPDATE points_account SET available = 71")
    first, second = await verify_account(ALICE)
    assert (first.rule, first.member_id) == ("sum", ALICE)
    assert first.detail == "available is 71, its changes sum to 70"
    assert (second.rule, second.detail) == ("lots", "matured lots hold 70")


async def test_a_sound_account_and_an_unknown_one_have_no_violation() -> None:
    await _history()
    assert await verify_account(ALICE) == []
    assert await verify_account(BOB) == []


async def test_the_chain_verifies_after_a_persons_words_are_erased() -> None:
    await _history()
    assert await execute("DELETE FROM points_entry_text WHERE member_id = $1", ALICE) == 3
    assert await verify_account(ALICE) == []
    left = await fetch_one("SELECT COUNT(*) AS words FROM points_entry_text")
    assert left is not None
    assert left["words"] == 0
    await post([redeem(1, reason="after the erasure")], now=NOW)
    assert await verify_account(ALICE) == []
