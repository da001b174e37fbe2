"""Accounts whose rows contradict each other: nobody else suffers, and nothing is made worse."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from domain.errors import AccountFrozen
from domain.ledger import Posted, post, verify_account
from domain.ledger.commands import Transfer
from domain.ledger.entries import Source
from domain.storage import execute, fetch_all
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn

pytestmark = pytest.mark.usefixtures("database")


async def test_an_unsound_account_is_refused_and_the_others_of_its_batch_are_not() -> None:
    await post([earn(100, expires=NOW + days(1)), earn(7, member_id=BOB)], now=NOW)
    await execute("UPDATE points_account SET available = 40 WHERE member_id = $1", ALICE)
    given = Transfer(
        member_id=BOB, to_member_id=ALICE, points=3, source=Source(kind="transfer", reference="t")
    )
    with capture_logs() as logs:
        refused, posted, other = await post(
            [earn(1), earn(2, member_id=BOB), given],
            now=NOW + days(2),
        )
    assert isinstance(refused, AccountFrozen)
    assert isinstance(other, AccountFrozen)
    assert isinstance(posted, Posted)
    assert (posted.seq, posted.balance_after) == (2, 9)
    assert [(one["event"], one["members"]) for one in logs] == [("ledger_unsound", (ALICE,))]
    assert len(await fetch_all("SELECT seq FROM points_entry WHERE member_id = $1", ALICE)) == 1


async def test_postings_to_a_frozen_account_go_on_from_the_journal_not_from_its_row() -> None:
    await post([earn(100)], now=NOW)
    await execute("UPDATE points_account SET available = available + 5000, frozen_at = $1", NOW)
    [posted] = await post([earn(1)], now=NOW)
    assert isinstance(posted, Posted)
    assert posted.balance_after == 101
    # What was wrong is mended by that: nothing but the freezing is left of it.
    assert await verify_account(ALICE) == []
