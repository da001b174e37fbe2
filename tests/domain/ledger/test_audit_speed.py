"""How fast a complete audit reads, and that its cost grows with the entries, not the accounts."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from uuid import UUID

import pytest

from domain.ledger import Command, audit_ledger, post, verify_accounts
from domain.storage import dialect, observed_statements
from tests.closing import ClosingReport
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import NOW, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")


def members(count: int) -> list[UUID]:
    return [UUID(int=number) for number in range(1, count + 1)]


async def live(count: int, *, rounds: int) -> int:
    """So many members earn twice and spend once in each round; returns how many entries."""
    for number in range(rounds):
        now = NOW + days(number)
        commands: list[Command] = []
        for member_id in members(count):
            commands += [
                earn(7, member_id=member_id, at=now),
                earn(5, member_id=member_id, at=now),
                redeem(11, member_id=member_id),
            ]
        for begin in range(0, len(commands), 900):
            await post(commands[begin : begin + 900], now=now)
    return 3 * count * rounds


@pytest.mark.soak
async def test_the_speed_of_a_complete_audit(
    full_form: bool, report: ClosingReport, tally: Callable[[str, int, int], None]
) -> None:
    entries = await live(500, rounds=100) if full_form else await live(50, rounds=5)
    begun = perf_counter()
    found = await audit_ledger(by=OPERATOR, now=NOW)
    took_s = perf_counter() - begun
    assert (found.entries_checked, found.violations) == (entries, ())
    tally(f"ledger audit on {dialect()}: entries", entries, 150_000 if full_form else 750)
    report.notes.append(
        f"ledger audit on {dialect()}: {entries:,} entries in {took_s:.2f} s, "
        f"{entries / took_s:,.0f} entries/s"
    )


async def test_the_statements_of_a_verification_do_not_grow_with_the_accounts() -> None:
    await live(40, rounds=1)
    counts = []
    for count in (2, 40):
        with observed_statements() as seen:
            checked = await verify_accounts(members(count))
        assert (checked.accounts, checked.entries) == (count, 3 * count)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 20
