"""Verification finds what a superuser did behind the triggers, and names the first wrong row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import audit
from domain.audit import Broken, Head, Verification, verification
from domain.audit.chain import GENESIS, link
from domain.paging import PageRequest
from domain.storage import dialect, execute, transaction
from tests.domain.access.fixtures import NOW, OPERATOR

pytestmark = pytest.mark.usefixtures("database")

COPY = """INSERT INTO audit_entry
    SELECT {seq}, at, actor, account_id, action, target_kind, target_id, before, after, request_id,
           hash FROM audit_entry WHERE seq = {of}"""
FIRST = "(SELECT e.hash FROM audit_entry AS e WHERE e.seq = 1)"
DELETE = "DELETE FROM audit_entry WHERE seq = {}"
HEAD_TO = (
    "UPDATE audit_head SET seq = {seq}, hash = (SELECT hash FROM audit_entry WHERE seq = {seq})"
)

# What is done behind the triggers to six rows, and where the chain breaks.
TAMPERINGS: dict[str, tuple[list[str], Broken | None]] = {
    "nothing": ([], None),
    "the actor is changed": (
        ["UPDATE audit_entry SET actor = 'cli:nobody' WHERE seq = 3"],
        Broken(3, "altered"),
    ),
    "the moment is changed": (
        ["UPDATE audit_entry SET at = (SELECT created_at FROM access_account) WHERE seq = 1"],
        Broken(1, "altered"),
    ),
    "a target is taken away": (
        ["UPDATE audit_entry SET target_kind = NULL, target_id = NULL WHERE seq = 6"],
        Broken(6, "altered"),
    ),
    "what it changed is altered": (
        ["UPDATE audit_entry SET after = '{}' WHERE seq = 2"],
        Broken(2, "altered"),
    ),
    "a hash is changed": (
        [f"UPDATE audit_entry SET hash = {FIRST} WHERE seq = 4"],
        Broken(4, "altered"),
    ),
    "the first row is removed": ([DELETE.format(1)], Broken(1, "missing")),
    "a row is removed": ([DELETE.format(4)], Broken(4, "missing")),
    "two rows are removed": ([DELETE.format(3), DELETE.format(4)], Broken(3, "missing")),
    "the last row is removed": ([DELETE.format(6)], Broken(6, "missing")),
    "all rows are removed": (["DELETE FROM audit_entry"], Broken(1, "missing")),
    "the last row is removed and the head set back": (
        [DELETE.format(6), HEAD_TO.format(seq=5)],
        None,
    ),
    "a row is removed and the later ones move up": (
        [
            DELETE.format(4),
            "UPDATE audit_entry SET seq = seq - 1 WHERE seq = 5",
            "UPDATE audit_entry SET seq = seq - 1 WHERE seq = 6",
            HEAD_TO.format(seq=5),
        ],
        Broken(4, "altered"),
    ),
    "a row is replaced by another": (
        [DELETE.format(4), COPY.format(seq=4, of=5)],
        Broken(4, "altered"),
    ),
    "a row is added": ([COPY.format(seq=7, of=6)], Broken(7, "inserted")),
    "a row is added and the head moved": (
        [COPY.format(seq=7, of=6), HEAD_TO.format(seq=7)],
        Broken(7, "altered"),
    ),
    "the head forgets": (["UPDATE audit_head SET seq = 4"], Broken(4, "not the head")),
    "the head is replaced": (
        [f"UPDATE audit_head SET hash = {FIRST}"],
        Broken(6, "not the head"),
    ),
}


async def six_rows() -> Head:
    """Six acts on one account; returns the head."""
    from domain.access import CallerKind, RegisterAccount, register_account

    shop = RegisterAccount(
        kind=CallerKind.SHOP, code="shop-1", name="x", grants=frozenset({"purchases:write"})
    )
    for _ in range(6):
        await register_account(shop, by=OPERATOR, now=NOW)
    # Another moment than that of any row.
    await execute("UPDATE access_account SET created_at = $1", NOW.replace(year=2020))
    return await audit.head()


async def open_the_table() -> None:
    """What only whoever owns the database can do."""
    if dialect() == "postgres":
        for table in ("audit_entry", "audit_head"):
            await execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    else:
        for trigger in ("entry_no_update", "entry_no_delete", "head_follows"):
            await execute(f"DROP TRIGGER audit_{trigger}")


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_tampering_is_found_and_the_first_wrong_row_named(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, broken = TAMPERINGS[what]
    await six_rows()
    await open_the_table()
    for statement in statements:
        await execute(statement)
    found = await audit.verify()
    assert found.broken == broken
    if broken is not None and broken.how != "not the head":
        assert found.good == min(broken.seq - 1, 6)
    else:
        assert found.good == found.head.seq
    # The same where the rows are read in small pieces.
    monkeypatch.setattr(verification, "_ROWS_AT_ONCE", 2)
    assert await audit.verify() == found


async def test_an_empty_log_is_good() -> None:
    assert await audit.verify() == Verification(0, Head(seq=0, hash=GENESIS), None)


async def rewrite_from(seq: int) -> None:
    """Compute the chain anew from a row on, as a superuser can who knows how it is made."""
    rows = list(reversed((await audit.entries(PageRequest(first=100))).items))
    last = rows[seq - 2].hash if seq > 1 else GENESIS
    for row in rows[seq - 1 :]:
        last = link(last, replace(row, hash=b""))
        await execute("UPDATE audit_entry SET hash = $2 WHERE seq = $1", row.seq, last)
    await execute("UPDATE audit_head SET seq = $1, hash = $2", rows[-1].seq, last)


async def test_a_chain_that_was_computed_anew_is_found_by_a_head_that_was_kept() -> None:
    kept = await six_rows()
    assert (await audit.verify(kept=kept)).broken is None
    await six_rows()
    assert (await audit.verify(kept=kept)).broken is None
    await open_the_table()
    await execute("UPDATE audit_entry SET actor = 'cli:nobody' WHERE seq = 5")
    await rewrite_from(5)
    assert (await audit.verify()).broken is None
    assert (await audit.verify(kept=kept)).broken == Broken(6, "altered")


async def test_a_log_that_was_cut_is_found_by_a_head_that_was_kept() -> None:
    kept = await six_rows()
    await open_the_table()
    await execute(DELETE.format(6))
    await rewrite_from(5)
    assert (await audit.verify()).broken is None
    assert (await audit.verify(kept=kept)).broken == Broken(6, "missing")


async def test_rows_that_are_written_meanwhile_are_no_tampering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await six_rows()
    read = verification._next_rows

    async def and_somebody_writes(after: int, *, up_to: int) -> list[audit.AuditEntry]:
        async def work() -> None:
            audit.record(OPERATOR, "meanwhile", now=NOW)

        await transaction(work)
        return await read(after, up_to=up_to)

    monkeypatch.setattr(verification, "_next_rows", and_somebody_writes)
    found = await audit.verify()
    assert (found.good, found.broken) == (6, None)
    assert (await audit.head()).seq == 7
