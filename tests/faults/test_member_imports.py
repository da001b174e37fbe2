"""A merchant's move: tens of thousands of members with their points, killed midway, gone on with.

Long form: 100,000 members. Memory is sampled from outside, each time the import says how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from domain import storage
from domain.audit import Actor
from domain.ledger import audit_ledger
from domain.members import (
    ByExternalReference,
    PhoneKeyFile,
    phones_of,
    resolve_members,
    use_phone_keys,
)
from tests.closing import ClosingReport
from tests.imports.moving import (
    Summary,
    kill_import_after,
    many,
    next_words,
    prepare,
    summary_of,
    write,
)
from tests.imports.running import start

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

MEMBERS: Final = 100_000
MEMBERS_SHORT: Final = 5_000
KILLS: Final = 3
GROWTH_KIB_MAX: Final = 32 * 1024
"""What the second half of an import may take beyond the first: pages of a cache that fills up."""

AUDITOR: Final = Actor(name="cli:tests", request_id="0199c0ffee")


@pytest.fixture(autouse=True)
def _same_phone_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys" / "phone-keys.json"
    monkeypatch.setenv("JIFEN_PHONE_KEYS_PATH", str(path))
    use_phone_keys(PhoneKeyFile(path, now=datetime.now(UTC), create_missing=True))


@pytest.mark.timeout(3_600)
async def test_many_members_move_and_a_killed_move_goes_on(
    database_url: str, tmp_path: Path, *, full_form: bool, tally: Tally, report: ClosingReport
) -> None:
    number = MEMBERS if full_form else MEMBERS_SHORT
    await prepare(database_url)
    rows, lots, points = many(number, seed=number)
    expected = {row["external_id"]: 0 for row in rows}
    for row in rows:
        expected[row["external_id"]] += row["points"]
    file = write(tmp_path / "members.csv", rows)
    lines = len(rows)
    rows.clear()

    killed_at, rate = await kill_import_after(database_url, file, rows=lines // (KILLS + 2))
    for kill in range(2, KILLS + 1):
        # Of a run that goes on, the rows that are there already count as well.
        at = lines * kill // (KILLS + 2)
        killed_at, _ = await kill_import_after(database_url, file, rows=at)
    summary, resident = await import_to_the_end(database_url, file)
    assert (summary.rows, summary.imported + summary.known, summary.rejected) == (lines, lines, 0)
    assert killed_at <= summary.known < lines

    half = len(resident) // 2
    growth = max(resident[half:]) - max(resident[:half])
    assert growth <= GROWTH_KIB_MAX, resident
    stored = await stored_in(database_url)
    assert (stored["members"], stored["lots"], stored["points"]) == (number, lots, points)
    assert stored["balances"] == expected
    assert stored["levels"] == stored["changes"]
    assert await audited(database_url) == number

    engine = database_url.split(":", 1)[0]
    tally(f"members moved in with their lots ({engine}), killed {KILLS} times", number, number)
    tally(f"opening lots moved in ({engine}), totals equal, audit clean", stored["lots"], lots)
    mib = [kib / 1024 for kib in resident]
    report.notes.append(
        f"Members on {engine}: {lines:,} rows, {rate:,} rows/s, killed at {killed_at:,}; the last "
        f"run, half of it there already, {summary.rate:,} rows/s; "
        f"resident {mib[0]:.0f} to {max(mib):.0f} MiB in {len(mib)} samples"
    )


async def import_to_the_end(url: str, file: Path) -> tuple[Summary, list[int]]:
    """The summary, and the resident memory in KiB at each line that the import printed."""
    process = await start(url, "import-members", file)
    output, resident = b"", []
    while True:
        line, kib = await next_words(process)
        if not line:
            break
        output += line
        if kib and line.startswith(b"importing"):
            resident.append(kib)
    assert await process.wait() == 0, output.decode()
    return summary_of(output.decode()), resident


async def stored_in(url: str) -> dict[str, Any]:
    """What the database holds of members, lots, points and levels, and that phones lead to them."""
    await storage.connect(url)
    try:
        [members] = await storage.fetch_all("SELECT COUNT(*) AS n FROM member")
        [lots] = await storage.fetch_all(
            "SELECT COUNT(*) AS n, SUM(earned)::bigint AS points FROM points_lot"
        )
        balances = await storage.fetch_all(
            "SELECT i.subject, a.available FROM member_identity AS i"
            " JOIN points_account AS a ON a.member_id = i.member_id WHERE i.kind = 'external'"
        )
        [levels] = await storage.fetch_all("SELECT COUNT(*) AS n FROM member_level")
        [changes] = await storage.fetch_all(
            "SELECT COUNT(*) AS n FROM level_change WHERE reason = 'IMPORTED'"
        )
        [member_id] = await resolve_members([ByExternalReference("C-000007")])
        assert member_id is not None
        assert await phones_of([member_id]) == {member_id: "+8613800000007"}
        return {
            "members": members["n"],
            "lots": lots["n"],
            "points": lots["points"],
            "balances": {row["subject"]: row["available"] for row in balances},
            "levels": levels["n"],
            "changes": changes["n"],
        }
    finally:
        await storage.close()


async def audited(url: str) -> int:
    """How many accounts a complete audit found sound."""
    await storage.connect(url)
    try:
        found = await audit_ledger(by=AUDITOR, now=datetime.now(UTC))
        assert found.complete
        assert found.violations == ()
        return found.accounts_checked
    finally:
        await storage.close()
