"""Files of days as recurring work: from two o'clock of the programme's next day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from api.partners.settings import ReconciliationSettings
from api.workers.reconciliations import reconciliation_jobs
from domain import games
from domain.access import KeyRing
from domain.files import FileStore
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, open_arcade
from tests.domain.games.books import AFTERWARDS, DAY, rows_of
from tests.graphql.gateway import StandingClock

key_path = access.key_path
ring = access.ring


async def test_the_file_of_a_day_is_there_ten_minutes_after_two(
    ring: KeyRing, database: str, tmp_path: Path
) -> None:
    arcade = await open_arcade(ring)
    await arcade.push("b1", arcade.item("a"))
    files, clock = FileStore(tmp_path / "files"), StandingClock(NOW)
    [job] = reconciliation_jobs(ReconciliationSettings(), files=files, clock=clock)
    assert (job.name, job.every) == ("reconcile-games", timedelta(minutes=10))
    clock.moment = AFTERWARDS - timedelta(seconds=1)
    assert await job.run() == 0
    clock.advance(minutes=10)
    assert await job.run() == 1
    made = await games.find_reconciliation(arcade.partner.account_id, DAY)
    assert made is not None
    assert [row["externalId"] for row in rows_of(files, made)] == ["a"]
    assert await job.run() == 0, "also when it is begun anew"
