"""An audit reads a page of a long history and nothing else, whatever the planner knows of it."""

from __future__ import annotations

import orjson
import pytest

from domain.ledger import verify_accounts
from domain.ledger.auditing.verification import ENTRIES_OF_A_PAGE
from domain.storage import execute, fetch_all, observed_statements
from tests.domain.ledger import test_long_histories as long_histories
from tests.domain.ledger.commands import ALICE, NOW
from tests.domain.ledger.test_long_histories import ENTRIES, rows_read

_long_history = long_histories._long_history

AUDITED = 5 * ENTRIES_OF_A_PAGE
"""So many entries before the last are new."""


async def pages() -> list[str]:
    """The statements by which an audit of what changed reads the new entries."""
    with observed_statements() as statements:
        checked = await verify_accounts([ALICE], changed_only=True)
    assert checked.entries == AUDITED
    return [one for one in statements if "points_entry_text" in one]


async def rows_of(page: str, *, after: int, upto: int) -> int:
    [row] = await fetch_all(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {page}", ALICE, after, upto, ENTRIES_OF_A_PAGE
    )
    [plan] = orjson.loads(row["QUERY PLAN"])
    return rows_read(plan["Plan"])


@pytest.mark.usefixtures("_long_history")
async def test_a_page_reads_its_entries_and_their_texts() -> None:
    zero = f"decode('{'00' * 32}', 'hex')"
    since = ENTRIES - AUDITED
    account = f"'{ALICE}', 0, 0, 0, 0, {ENTRIES}, {ENTRIES // 2}, {zero}, '9999-12-31', '{NOW}'"
    await execute(f"INSERT INTO points_account VALUES ({account})")
    await execute(
        f"INSERT INTO points_audited VALUES ('{ALICE}', {since}, {zero}, 0, 0, 0, 0, '{NOW}')"
    )
    for analyzed in (False, True):
        if analyzed:
            await execute("ANALYZE")
        sent = await pages()
        # The last page is full: one more looks for what may come after it.
        assert len(sent) == AUDITED // ENTRIES_OF_A_PAGE + 1
        for page in set(sent):
            for after in (0, since):
                read = await rows_of(page, after=after, upto=after + ENTRIES_OF_A_PAGE)
                assert read == 2 * ENTRIES_OF_A_PAGE
