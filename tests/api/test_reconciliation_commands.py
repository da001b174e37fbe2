"""The command that writes files of days for partners, as an operator runs it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from domain import games
from domain.access import KeyRing
from domain.audit import Target
from domain.games import Reconciliation
from tests.api.test_commands import USER, CommandLine
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import open_arcade, open_partner
from tests.domain.games.books import ZONE

key_path = access.key_path
ring = access.ring

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
"""The command asks the machine what time it is."""


def test_an_operator_writes_a_day_anew(sqlite_url: str, tmp_path: Path, ring: KeyRing) -> None:
    cli = CommandLine(sqlite_url, tmp_path / "keys.json")
    day = YESTERDAY.astimezone(ZONE).date()

    async def history() -> None:
        opens_at, closes_at = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2100))
        arcade = await open_arcade(ring, opens_at=opens_at, closes_at=closes_at)
        await open_partner("quiet")
        await arcade.push("b1", arcade.item("a", occurred_at=YESTERDAY), now=YESTERDAY)

    async def found(day: date = day) -> Reconciliation | None:
        partner = await games.known_partner("arcade")
        return await games.find_reconciliation(partner.account_id, day)

    cli.ask(history)
    written = cli.run("reconcile-games", "--date", str(day))
    made = cli.ask(found)
    assert made is not None
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert written == (
        f"arcade: 1 items, 10 points, sha256 {made.sha256}\n"
        f"quiet: 0 items, 0 points, sha256 {nothing}\n"
    )
    assert (tmp_path / "files" / "reconciliation" / made.file_name).is_file()
    again = cli.run("reconcile-games", "--date", str(day), "--partner", "arcade")
    assert again == "arcade: as it was\n"
    assert cli.ask(found) == made
    told = [(one.actor, one.target) for one in cli.log() if one.action == "games.reconcile"]
    targets = [Target(kind="reconciliation", id=f"{who}:{day}") for who in ("all", "arcade")]
    assert told == [(USER, target) for target in targets]

    today = datetime.now(UTC).astimezone(ZONE).date() + timedelta(days=1)
    for arguments, answer in (
        (("--date", str(today)), f"{today} is not over yet in Asia/Shanghai\n"),
        (("--date", "2001-01-01"), "2001-01-01 is too long ago: files are kept 400 days\n"),
        (("--partner", "nobody"), "refused: PARTNER_UNKNOWN: There is no such partner\n"),
    ):
        assert cli.run("reconcile-games", *arguments, status=1) == answer
