"""A day with a partner: its file, what the partner has instead, and what differs."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain import games
from domain.access import KeyRing
from domain.files import FileStore
from domain.games import (
    Difference,
    DifferenceKind,
    LineRefused,
    ReconciliationReplaced,
    reconcile_due,
    reconciliation_differences,
    reconciliation_uploads,
    reconciling,
    tidy_reconciliations,
    webhook_consumer,
)
from domain.outbox import drain
from domain.storage import fetch_all
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, Arcade, open_arcade, open_partner
from tests.domain.games.books import (
    AFTERWARDS,
    DAY,
    ZONE,
    Row,
    compare,
    differences,
    kept,
    lines_of,
    names_in,
    ready,
    rows_of,
    without,
    write,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

HERE, THERE = DifferenceKind.MISSING_HERE, DifferenceKind.MISSING_THERE
AMOUNT, STATUS = DifferenceKind.AMOUNT_MISMATCH, DifferenceKind.STATUS_MISMATCH


@pytest.fixture
async def arcade(ring: KeyRing, database: str) -> Arcade:
    return await open_arcade(ring)


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "reconciliation")


async def a_day(arcade: Arcade) -> None:
    """Something of everything: what took effect, waits, was refused, and was there before."""
    event = {"business_reference": "spin-1"}
    await arcade.push(
        "b1",
        arcade.item("b", points=7),
        arcade.item("Z", "bob", 5),
        arcade.item("é", points=3, **event),
        arcade.item("e", points=3, **event),
        arcade.item("f", points=3, **event),
        arcade.item("bad", points=0),
        arcade.item("𝔷", points=2),
        arcade.back("back", "Z", who="bob", points=5),
        arcade.back("waits", "to come", points=9),
    )


def line(external_id: str, points: int, status: str = "APPLIED", **other: Any) -> Row:
    return {
        "externalId": external_id,
        "kind": "GRANT",
        "points": points,
        "occurredAt": "2026-03-01T11:00:00Z",
        "receivedAt": "2026-03-01T12:00:00Z",
        "status": status,
        "code": None,
        "reversesExternalId": None,
        **other,
    }


async def test_the_file_has_every_item_of_the_day_in_the_order_of_its_bytes(
    arcade: Arcade, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_day(arcade)
    # Not of this day: received in the first moment of the next.
    await arcade.push("b2", arcade.item("next"), now=NOW + timedelta(hours=4))
    await arcade.push("b0", arcade.item("before"), now=NOW - timedelta(hours=20, seconds=1))
    monkeypatch.setattr(reconciling, "ROWS_AT_ONCE", 1)
    made = await write(arcade, files)
    back = {"kind": "REVERSAL", "reversesExternalId": "Z"}
    waits = {"kind": "REVERSAL", "reversesExternalId": "to come"}
    assert rows_of(files, made) == [
        line("Z", 5),
        line("b", 7),
        line("back", 5, **back),
        line("bad", 0, "REJECTED", code="AMOUNT_INVALID"),
        line("e", 3, "DUPLICATE"),
        line("f", 3, "DUPLICATE"),
        line("waits", 9, "PENDING", **waits),
        line("é", 3),
        line("𝔷", 2),
    ]
    path = files.find(made.file_name)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (made.items, made.points) == (9, 7 + 5 + 3 + 2 - 5)
    assert await kept(made) == made
    assert await ready() == [
        {
            "date": "2026-03-01",
            "partner": "arcade",
            "partner_id": str(arcade.partner.account_id),
            "reconciliation_id": str(made.id),
        }
    ]
    # Read page by page or at once, it is the same file.
    monkeypatch.undo()
    again = await games.write_reconciliation(
        arcade.partner, DAY, files=files, zone=ZONE, now=AFTERWARDS, again=True
    )
    assert again is None, "nothing differs"
    assert names_in(files) == [made.file_name]


async def test_our_own_file_sent_back_has_no_difference(arcade: Arcade, files: FileStore) -> None:
    await a_day(arcade)
    made = await write(arcade, files)
    compared = await compare(made, lines_of(rows_of(files, made)), files)
    assert compared.total == 0
    now = await kept(made)
    assert (now.differences, now.compared_sha256) == (0, made.sha256)
    assert now.compared_at == AFTERWARDS + timedelta(hours=1)


async def test_a_difference_of_each_class_is_found_and_nothing_else(
    arcade: Arcade, files: FileStore
) -> None:
    await a_day(arcade)
    made = await write(arcade, files)
    rows = without(rows_of(files, made), lambda row: row["externalId"] in {"b", "bad", "e"})
    for row in rows:
        match row["externalId"]:
            case "Z":
                row["points"] = 6
            case "back":
                row["kind"] = "GRANT"
            case "waits":
                row["status"] = "REJECTED"
    # What came to nothing there need not be known here; what is said to stand must be.
    unknown = [line("y1", 4), line("y2", 4, "PENDING"), line("y3", 4, "REJECTED")]
    rows = sorted([*rows, *unknown], key=lambda row: row["externalId"].encode())
    compared = await compare(made, lines_of(rows), files)
    expected = [
        ("Z", AMOUNT, "GRANT 5 APPLIED", "GRANT 6 APPLIED"),
        ("b", THERE, "GRANT 7 APPLIED", None),
        ("back", AMOUNT, "REVERSAL 5 APPLIED", "GRANT 5 APPLIED"),
        ("waits", STATUS, "REVERSAL 9 PENDING", "REVERSAL 9 REJECTED"),
        ("y1", HERE, None, "GRANT 4 APPLIED"),
        ("y2", HERE, None, "GRANT 4 PENDING"),
    ]
    assert await differences(made) == [
        Difference(external_id=one, kind=kind, ours=ours, theirs=theirs)
        for one, kind, ours, theirs in expected
    ]
    assert compared.by_kind == {AMOUNT: 2, THERE: 1, STATUS: 1, HERE: 2}
    assert (await kept(made)).differences == 6


async def test_what_was_mended_since_the_file_is_no_difference(
    arcade: Arcade, files: FileStore
) -> None:
    """Resolved, sent anew or sent late: each is judged by how it stands now."""
    budget = {"caps": {"points_per_day": 20}}
    await a_day(arcade)
    small = await open_arcade(arcade.keys, code="small", **budget)
    await small.push("b1", small.item("s1", points=15), small.item("s2", points=15))
    made, of_small = await write(arcade, files), await write(small, files)
    rows, small_rows = rows_of(files, made), rows_of(files, of_small)
    assert [row["status"] for row in small_rows] == ["APPLIED", "REJECTED"]

    later = AFTERWARDS + timedelta(minutes=5)
    await arcade.push("b5", arcade.item("to come", points=9), arcade.item("late"), now=later)
    await small.push("b5", small.item("s2", points=15), now=later)
    for row in rows:
        row["status"] = "APPLIED" if row["externalId"] == "waits" else row["status"]
    rows = sorted([*rows, line("late", 10)], key=lambda row: row["externalId"].encode())
    assert (await compare(made, lines_of(rows), files)).total == 0
    # It belongs to the next day now, whether the partner tells it here or not.
    assert (await compare(of_small, lines_of(small_rows[:1]), files)).total == 0
    small_rows[1]["status"] = "APPLIED"
    assert (await compare(of_small, lines_of(small_rows), files)).total == 0
    # Written anew it is in the file as it stands, and what was compared before is forgotten.
    again = await write(small, files, again=True)
    assert (again.items, again.points, again.differences) == (1, 15, None)
    assert [row["externalId"] for row in rows_of(files, again)] == ["s1"]
    assert files.find(of_small.file_name) is None
    with pytest.raises(ReconciliationReplaced):
        await compare(of_small, b"", files)


async def test_each_upload_takes_the_place_of_the_one_before(
    arcade: Arcade, files: FileStore
) -> None:
    await a_day(arcade)
    made = await write(arcade, files)
    rows = rows_of(files, made)
    assert (await compare(made, b"", files)).by_kind == {THERE: 6}
    await compare(made, lines_of(rows[1:]), files)
    once = await everything_kept()
    assert [one.external_id for one in await differences(made)] == ["Z"]
    await compare(made, lines_of(rows[1:]), files)
    assert await everything_kept() == once
    assert (await compare(made, lines_of(rows), files, minutes=9)).total == 0
    assert await differences(made) == []


async def test_a_file_with_a_bad_line_is_refused_whole(arcade: Arcade, files: FileStore) -> None:
    await arcade.push("b1", arcade.item("b", points=8))
    made = await write(arcade, files)
    await compare(made, b"", files)
    before = await everything_kept()
    with pytest.raises(LineRefused) as refused:
        await compare(made, lines_of([line("b", 7), line("Z", 7)]), files)
    assert (refused.value.line, refused.value.rule) == (2, "not sorted by externalId")
    assert await everything_kept() == before


async def test_no_more_differences_are_kept_than_the_limit_but_all_are_counted(
    arcade: Arcade, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await write(arcade, files)
    assert (made.items, made.points) == (0, 0)
    assert made.sha256 == hashlib.sha256(b"").hexdigest()
    monkeypatch.setattr(reconciliation_uploads, "DIFFERENCES_KEPT", 7)
    monkeypatch.setattr(reconciliation_differences, "LOOKED_AT_ONCE", 5)
    rows = [line(f"n{number:02}", 1) for number in range(12)]
    compared = await compare(made, lines_of(rows), files)
    assert (compared.total, len(compared.kept)) == (12, 7)
    assert [one.external_id for one in await differences(made)] == [
        f"n{number:02}" for number in range(7)
    ]
    assert (await kept(made)).differences == 12


async def test_files_are_written_from_two_oclock_for_each_day_and_partner_once(
    arcade: Arcade, files: FileStore
) -> None:
    await a_day(arcade)
    early = AFTERWARDS - timedelta(seconds=1)
    assert await reconcile_due(files=files, now=lambda: early) == 0
    both = await asyncio.gather(
        *(reconcile_due(files=files, now=lambda: AFTERWARDS) for _ in range(2))
    )
    assert sum(both) == 1, "of two who write the same day one has done it"
    assert len(names_in(files)) == len(await ready()) == 1
    assert await reconcile_due(files=files, now=lambda: AFTERWARDS) == 0
    # Nobody worked for ten days: seven are made up for, of a new partner those since it came.
    later = AFTERWARDS + timedelta(days=10)
    assert await reconcile_due(files=files, now=lambda: later) == 7
    newcomer = await open_partner("newcomer")
    assert newcomer.created_at == NOW
    days = [row["day"] for row in await fetch_all("SELECT day FROM game_reconciliation")]
    assert sorted(days) == [DAY, *(date(2026, 3, day) for day in range(5, 12))]
    assert await reconcile_due(files=files, now=lambda: AFTERWARDS) == 1, "the newcomer's"


async def test_the_partner_is_told_of_its_file(ring: KeyRing, files: FileStore) -> None:
    told = await open_arcade(ring, caps={"webhook_url": "https://arcade.example/hook"})
    await open_partner("other", webhook_url="https://other.example/hook")
    await write(told, files)
    await drain([webhook_consumer()], clock=lambda: AFTERWARDS)
    [sent] = await fetch_all("SELECT partner_id, payload FROM webhook_delivery")
    assert sent["partner_id"] == told.partner.account_id
    message = orjson.loads(sent["payload"])
    assert (message["type"], message["data"]) == ("reconciliation.ready", {"dates": [str(DAY)]})


async def test_one_that_fails_holds_up_no_other(
    arcade: Arcade, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_partner("other")
    write_one = reconciling.write_reconciliation

    async def fail_for_the_first(partner: games.Partner, *args: Any, **named: Any) -> Any:
        if partner.code == "arcade":
            raise OSError("no space left on device")
        return await write_one(partner, *args, **named)

    monkeypatch.setattr(reconciling, "write_reconciliation", fail_for_the_first)
    assert await reconcile_due(files=files, now=lambda: AFTERWARDS) == 1
    monkeypatch.undo()
    assert await reconcile_due(files=files, now=lambda: AFTERWARDS) == 1
    assert [one["partner"] for one in await ready()] == ["other", "arcade"]


async def test_a_file_whose_row_was_never_written_goes_and_old_days_are_forgotten(
    arcade: Arcade, files: FileStore
) -> None:
    await a_day(arcade)
    made = await write(arcade, files)
    await compare(made, b"", files)
    for name in ("0199c0ff-0000-7000-8000-000000000000.ndjson", "unfinished.ndjson"):
        with files.writing(name) as file:
            file.write(b"killed")
    assert await tidy_reconciliations(files=files, now=AFTERWARDS) == 0, "it may be under way"
    # The files were written now, by the clock of the disk.
    day_later = AFTERWARDS.replace(year=2027)
    assert await tidy_reconciliations(files=files, now=day_later) == 2
    assert names_in(files) == [made.file_name]
    assert await tidy_reconciliations(files=files, now=AFTERWARDS + timedelta(days=402)) == 1
    assert await games.find_reconciliation(made.partner_id, DAY) is None
    assert (await fetch_all("SELECT 1 AS one FROM game_difference"), names_in(files)) == ([], [])


async def test_pages_that_went_on_after_an_id_would_miss_an_item(
    arcade: Arcade, files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: duplicates of one business event have one id, and come at one moment."""
    await a_day(arcade)
    monkeypatch.setattr(reconciling, "ROWS_AT_ONCE", 1)

    async def go_on_after_the_id(sql: str, *values: Any) -> Any:
        if "FROM reward_item" in sql and values[3]:
            values = (*values[:3], "\U0010ffff", *values[4:])
        return await fetch_all(sql, *values)

    monkeypatch.setattr(reconciling, "fetch_all", go_on_after_the_id)
    assert (await write(arcade, files)).items == 7, "and not 9: those of the event are one"
