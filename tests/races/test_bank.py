"""The bank test: whoever looks, whenever, sees all points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.races.banking import WRITERS, Bank, run_bank
from tests.races.contention import Gate


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_every_read_of_all_balances_sums_right(
    postgres: str, gate: Gate, full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    bank = await Bank(postgres).opened()
    seconds, postings, reads = (60.0, 2_000, 400) if full_form else (3.0, 100, 20)
    await run_bank(bank, gate, lasting_s=seconds, postings=postings, reads=reads)

    assert bank.found == Counter()
    # The first postings of all writers were seen to wait for one another, on backends of their own.
    assert len(bank.backends) >= WRITERS
    assert bank.waits > 0
    kinds = Counter(type(command).__name__ for command, _ in bank.answers)
    assert set(kinds) == {"Transfer", "SetAside", "Capture", "Release"}
    tally("postings of the bank", len(bank.answers), postings)
    tally("snapshots of the bank", bank.reads, reads)
    tally("waits for locks seen in the bank", bank.waits, 100 if full_form else 5)
