"""Verification finds every kind of tampering by a superuser, and names the rule that is broken."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.ledger import NEVER, Source, adjustments, post, verify_account
from domain.ledger.auditing import verification
from domain.ledger.commands import Adjust, Capture, GiveBack, SetAside
from domain.storage import dialect, execute, fetch_one, transaction
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")

CONTENT_HASH = "(SELECT e.content_hash FROM points_entry AS e WHERE e.seq = 3)"
SALT = "(SELECT t.salt FROM points_entry_text AS t WHERE t.seq = 2)"
"""Bytes of the right length, from elsewhere."""

ENTRIES = 10
"""So many has the history."""

TAMPERINGS: dict[str, tuple[str, list[str]]] = {
    # What is done to an account, and the rules that it breaks.
    "nothing": ("SELECT 1", []),
    "points are given": (
        "UPDATE points_account SET available = available + 1",
        ["lots", "sum"],
    ),
    "pending points are given": (
        "UPDATE points_account SET pending = pending + 1",
        ["pending lots", "sum"],
    ),
    "held points are given": (
        "UPDATE points_account SET held = held + 1",
        ["held", "held", "lots", "sum"],
    ),
    "debt is made": (
        "UPDATE points_account SET available = 0, debt = 1",
        ["lots", "sum", "sum"],
    ),
    "the version is raised": ("UPDATE points_account SET version = version + 1", ["version"]),
    "the version is far too high": (
        "UPDATE points_account SET version = 9007199254740991",
        ["version"],
    ),
    "the version is lowered": ("UPDATE points_account SET version = 1", ["version"]),
    "the count of lots is raised": ("UPDATE points_account SET lots = lots + 1", ["lot count"]),
    "the head is replaced": (f"UPDATE points_account SET head_hash = {CONTENT_HASH}", ["head"]),
    "the account is removed": ("DELETE FROM points_account", ["account"]),
    "what is due is forgotten": (
        "UPDATE points_account SET next_change_at = '9999-12-31 00:00:00.000000+00:00'",
        ["next change", "next change"],
    ),
    "an amount is changed": (
        "UPDATE points_entry SET amount = 101, available_change = 101 WHERE seq = 1",
        ["balance_after"] * ENTRIES + ["chain", "moves", "sum"],
    ),
    "an amount alone is changed": (
        "UPDATE points_entry SET amount = 101 WHERE seq = 1",
        ["chain", "net"],
    ),
    "what was spent was not there yet": (
        "UPDATE points_entry SET available_change = 55, pending_change = 45 WHERE seq = 1",
        ["balance_after"] * ENTRIES + ["chain", "range", "sum", "sum"],
    ),
    "a balance is changed": (
        "UPDATE points_entry SET balance_after = 99 WHERE seq = 1",
        ["balance_after", "chain"],
    ),
    "a moment is changed": (
        "UPDATE points_entry SET effective_at = recorded_at WHERE seq = 1",
        ["chain"],
    ),
    "an entry is dated back": (
        "UPDATE points_entry SET recorded_at = "
        "(SELECT MIN(e.effective_at) FROM points_entry AS e) WHERE seq = 9",
        ["chain", "recorded"],
    ),
    "a source is changed": (
        "UPDATE points_entry SET source_kind = 'gift' WHERE seq = 3",
        ["chain"],
    ),
    "a kind is changed": (
        "UPDATE points_entry SET kind = 'EARN' WHERE seq = 3",
        ["chain", "kind"],
    ),
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
        f"DELETE FROM points_entry WHERE seq = {ENTRIES}",
        ["head", "moves", "sum", "version"],
    ),
    "an entry is removed": (
        "DELETE FROM points_entry WHERE seq = 2",
        ["chain", "gapless", "moves", "sum", "version"],
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
    "a gift is credited twice": (
        "UPDATE points_entry_text SET reference = 'a-1' WHERE seq IN (9, 10)",
        ["references", "texts", "texts"],
    ),
    "spent points come back": (
        "UPDATE points_lot SET remaining = earned WHERE lot_seq = 1",
        ["draws", "lots"],
    ),
    "points of a lot are lost": (
        "UPDATE points_lot SET remaining = remaining - 1 WHERE lot_seq = 1",
        ["draws", "lots"],
    ),
    "a lot is made larger": (
        "UPDATE points_lot SET earned = 200, remaining = remaining + 100 WHERE lot_seq = 1",
        ["lots", "moves"],
    ),
    "a lot matures early": (
        "UPDATE points_lot SET pending = FALSE WHERE lot_seq = 2",
        ["lots", "pending lots"],
    ),
    "a lot is removed": (
        "DELETE FROM points_lot WHERE lot_seq = 2",
        ["lot count", "moves", "pending lots"],
    ),
    "more comes back than was spent": (
        "UPDATE points_lot SET earned = 60, remaining = 60 WHERE parent_lot = 1",
        ["lots", "moves", "parents"],
    ),
    "a draw is removed": (
        "DELETE FROM points_draw WHERE entry_seq = 3",
        ["draws", "moves", "parents"],
    ),
    "a draw is changed": (
        "UPDATE points_draw SET amount = 29 WHERE entry_seq = 3",
        ["draws", "moves"],
    ),
    "a draw is moved to another lot": (
        "UPDATE points_draw SET lot_seq = 2 WHERE entry_seq = 3",
        ["draws", "draws", "parents"],
    ),
    "a draw is moved to another entry": (
        "UPDATE points_draw SET entry_seq = 2 WHERE entry_seq = 3",
        ["moves", "moves"],
    ),
    "a draw of no entry": (
        f"INSERT INTO points_draw VALUES ('{ALICE}', 99, 1, 1)",
        ["draws", "moves"],
    ),
    "a pin is removed": ("DELETE FROM points_pin", ["pins", "pins"]),
    "a lot is unpinned": ("UPDATE points_lot SET pinned = 0", ["held", "pins"]),
    "a hold is made larger": (
        "UPDATE points_hold SET amount = amount + 1 WHERE state = 'OPEN'",
        ["held", "holds", "pins"],
    ),
    "a hold is captured behind our back": (
        "UPDATE points_hold SET state = 'CAPTURED', captured = amount WHERE state = 'OPEN'",
        ["held", "holds", "pins"],
    ),
    "a hold is released twice": (
        "UPDATE points_hold SET state = 'RELEASED', captured = 0 WHERE state = 'CAPTURED'",
        ["holds"],
    ),
    "what was undone is forgotten": ("DELETE FROM points_reversed", ["reversals"]),
    "less was undone": ("UPDATE points_reversed SET reversed = 1", ["reversals"]),
    "more may be undone": ("UPDATE points_reversed SET amount = amount + 1", ["reversals"]),
    "a cause is forgotten": ("DELETE FROM points_reversal", ["reversals"]),
    "another entry was undone": (
        "UPDATE points_entry SET reverses = 2 WHERE reverses IS NOT NULL",
        ["chain"] + ["reversals"] * 5,
    ),
    "what was undone was none to undo": (
        "UPDATE points_entry SET reverses = seq WHERE reverses IS NOT NULL",
        ["chain"] + ["reversals"] * 5,
    ),
    "an adjustment is made larger": (
        "UPDATE points_adjustment SET points = 2",
        ["adjustments"],
    ),
}

_UNGUARDED = {
    "postgres": [
        *(
            f"DROP TRIGGER {table}_append_only ON {table}"
            for table in ("points_entry", "points_draw")
        ),
        "ALTER TABLE points_entry DROP CONSTRAINT points_entry_net",
    ],
    "sqlite": [
        *(
            f"DROP TRIGGER {table}_no_{verb}"
            for table in ("points_entry", "points_draw")
            for verb in ("update", "delete")
        ),
        "PRAGMA ignore_check_constraints = ON",
    ],
}


class Undo(Exception):
    """Rolls the tampering back."""


async def rules_broken_by(statement: str) -> list[str]:
    """The rules that the statement breaks; afterwards everything is as it was."""
    found: list[str] = []

    async def tamper() -> None:
        await execute(statement)
        found.extend(sorted(violation.rule for violation in await verify_account(ALICE)))
        raise Undo

    with pytest.raises(Undo):
        await transaction(tamper)
    return found


async def _history() -> None:
    """Alice's: something of everything, all of it sound."""
    await _short_history()
    checkout = Source(kind="checkout", reference="cart")
    await post([set_aside(20, hold=1), set_aside(10, hold=2)], now=NOW)
    capture = Capture(member_id=ALICE, hold_id=UUID(int=2), points=4, source=checkout)
    back = GiveBack(
        member_id=ALICE,
        entry_seq=3,
        points=12,
        grace_until=NEVER,
        source=Source(kind="refund", reference="r-1"),
    )
    await post([capture, back], now=NOW)
    given = [
        Adjust(
            member_id=ALICE,
            points=1,
            reason="for the trouble",
            source=Source(kind="adjustment", reference=reference),
            expires_at=NEVER,
        )
        for reference in ("a-1", "a-2", "a-3")
    ]
    await post(given, now=NOW)
    await adjustments._ADJUSTMENTS.insert(
        [
            {
                "id": UUID(int=1),
                "member_id": ALICE,
                "points": 1,
                "reason": "for the trouble",
                "status": "APPLIED",
                "requested_by": UUID(int=2),
                "requester": "staff:li.na",
                "requested_at": NOW,
                "applied_at": NOW,
                "entry_seq": 8,
            }
        ]
    )


def set_aside(points: int, *, hold: int) -> SetAside:
    return SetAside(
        member_id=ALICE,
        hold_id=UUID(int=hold),
        owner="shop",
        points=points,
        expires_at=NOW + days(1),
        source=Source(kind="checkout", reference="cart"),
    )


async def _short_history() -> None:
    """100 earned yesterday, 50 pending, 30 spent."""
    await post([earn(100, at=NOW - days(1)), earn(50, matures=NOW + days(7))], now=NOW)
    await post([redeem(30, reason="a coupon")], now=NOW)


@pytest.mark.parametrize("entries_of_a_page", [verification.ENTRIES_OF_A_PAGE, 3])
async def test_each_kind_of_tampering_breaks_its_rules(
    monkeypatch: pytest.MonkeyPatch, entries_of_a_page: int
) -> None:
    """Whether the history is read at once or page by page."""
    monkeypatch.setattr(verification, "ENTRIES_OF_A_PAGE", entries_of_a_page)
    await _history()
    for guard in _UNGUARDED[dialect()]:
        await execute(guard)
    broken = {
        tampering: await rules_broken_by(statement)
        for tampering, (statement, _) in TAMPERINGS.items()
    }
    assert broken == {tampering: rules for tampering, (_, rules) in TAMPERINGS.items()}


async def test_a_violation_says_what_is_wrong_and_with_whom() -> None:
    await _short_history()
    await execute("UPDATE points_account SET available = 71")
    first, second = await verify_account(ALICE)
    assert (first.rule, first.member_id) == ("sum", ALICE)
    assert first.detail == "available is 71, its changes sum to 70"
    assert (second.rule, second.detail) == ("lots", "matured lots hold 70")


async def test_a_sound_account_and_an_unknown_one_have_no_violation() -> None:
    await _short_history()
    assert await verify_account(ALICE) == []
    assert await verify_account(BOB) == []


async def test_the_chain_verifies_after_a_persons_words_are_erased() -> None:
    await _short_history()
    assert await execute("DELETE FROM points_entry_text WHERE member_id = $1", ALICE) == 3
    assert await verify_account(ALICE) == []
    left = await fetch_one("SELECT COUNT(*) AS words FROM points_entry_text")
    assert left is not None
    assert left["words"] == 0
    await post([redeem(1, reason="after the erasure")], now=NOW)
    assert await verify_account(ALICE) == []
