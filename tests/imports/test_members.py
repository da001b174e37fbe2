"""Members from another system: who they are, their points, their levels; on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from domain import ledger, storage
from domain.ledger import verify_account
from domain.members import phones_of
from tests.imports.moving import HEADER, import_members, prepare, rejected, write

MEI: dict[str, Any] = {
    "external_id": "C-1",
    "phone": "138 0013 8000",
    "nickname": "小梅",
    "gender": "女",
    "birthday": "1990-02-28",
    "preferred_channel": "sms",
    "joined_at": "2019-05-01",
    "interests": "tea; home",
    "level": "gold",
    "level_keep_until": "2031-12-31",
    "points": "1200",
    "points_expires_at": "2031-12-31",
}
MORE = {"external_id": "C-1", "points": "34", "points_expires_at": "never"}
BO = {"external_id": "C-2", "nickname": "Bo", "points": "0"}
LI = {"external_id": "C-3", "level": "bronze", "points": "5"}


async def rows_of(sql: str, *values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await storage.fetch_all(sql, *values)]


async def member_of(external_id: str) -> dict[str, Any]:
    [row] = await rows_of(
        "SELECT m.* FROM member m JOIN member_identity i ON i.member_id = m.id"
        " WHERE i.kind = 'external' AND i.subject = $1",
        external_id,
    )
    return row


async def test_members_come_with_all_that_is_theirs(database_url: str, tmp_path: Path) -> None:
    await prepare(database_url)
    file = write(tmp_path / "members.csv", [MEI, BO, MORE, LI])
    summary = await import_members(database_url, file, rejects=tmp_path / "no.csv")
    assert (summary.rows, summary.imported, summary.known, summary.rejected) == (4, 4, 0, 0)
    assert (summary.members, summary.created, summary.lots, summary.points) == (3, 3, 3, 1239)
    assert not (tmp_path / "no.csv").exists()

    await storage.connect(database_url)
    try:
        mei = await member_of("C-1")
        joined_at = datetime(2019, 4, 30, 16, tzinfo=UTC)
        assert (mei["nickname"], mei["gender"], str(mei["birthday"])) == (
            *("小梅", "female"),
            "1990-02-28",
        )
        assert (mei["preferred_channel"], mei["joined_at"]) == ("sms", joined_at)
        assert await phones_of([mei["id"]]) == {mei["id"]: "+8613800138000"}
        assert await rows_of(
            "SELECT theme_code, source FROM member_interest ORDER BY theme_code"
        ) == [{"theme_code": theme, "source": "declared"} for theme in ("home", "tea")]

        # The level is gold, not earned: no points qualify and nobody was told of it.
        ends = datetime(2031, 12, 31, 16, tzinfo=UTC)
        [level] = await rows_of("SELECT member_id, level_code, keep_until FROM member_level")
        assert level == {"member_id": mei["id"], "level_code": "gold", "keep_until": ends}
        [change] = await rows_of("SELECT from_code, to_code, reason, seq FROM level_change")
        assert tuple(change.values()) == ("bronze", "gold", "IMPORTED", 1)
        assert await rows_of("SELECT 1 FROM qualifying_day") == []
        assert await rows_of("SELECT 1 FROM notification") == []

        lots = await rows_of(
            "SELECT l.remaining, l.expires_at, e.kind, e.source_kind FROM points_lot l"
            " JOIN points_entry e ON e.member_id = l.member_id AND e.seq = l.entry_seq"
            " WHERE l.member_id = $1 ORDER BY l.lot_seq",
            mei["id"],
        )
        assert [tuple(lot.values()) for lot in lots] == [
            (1200, ends, "EARN", "opening"),
            (34, ledger.NEVER, "EARN", "opening"),
        ]
        for external_id, points in (("C-1", 1234), ("C-2", 0), ("C-3", 5)):
            member_id = (await member_of(external_id))["id"]
            balance = await ledger.balance(member_id, now=datetime.now(UTC))
            assert balance.available == points
            assert await verify_account(member_id) == []
        announced = await rows_of("SELECT kind, COUNT(*) AS n FROM outbox GROUP BY kind")
        told = {row["kind"]: row["n"] for row in announced}
        assert (told["MemberJoined"], told["LevelChanged"], told["PointsChanged"]) == (3, 1, 3)
    finally:
        await storage.close()


async def test_the_same_file_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    await prepare(database_url)
    file = write(tmp_path / "members.csv", [MEI, BO, MORE])
    await import_members(database_url, file)
    before = await everything(database_url)

    # In another order, with one who is new, and one who brings more than before.
    richer = {**BO, "points": "7"}
    write(file, [MORE, LI, {**MEI, "nickname": "梅梅"}, richer])
    again = await import_members(database_url, file, rejects=tmp_path / "no.csv")
    assert (again.imported, again.known, again.rejected, again.created) == (1, 2, 1, 1)
    assert rejected(tmp_path / "no.csv") == [("4", "IDEMPOTENCY_CONFLICT")]
    after = await everything(database_url)
    assert {name: after[name] & rows for name, rows in before.items()} == before
    assert {name: len(after[name] - rows) for name, rows in before.items()} == {
        **dict.fromkeys(("member", "member_identity", "points_entry", "points_lot"), 1),
        **dict.fromkeys(("level_change", "member_phone"), 0),
    }


async def everything(url: str) -> dict[str, set[str]]:
    """The rows of what an import writes."""
    tables = ("member", "member_identity", "member_phone", "points_entry", "points_lot")
    await storage.connect(url)
    try:
        return {
            table: {str(row) for row in await rows_of(f"SELECT * FROM {table}")}
            for table in (*tables, "level_change")
        }
    finally:
        await storage.close()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"external_id": ""}, "MEMBER_MISSING"),
    ({"external_id": "x" * 129}, "TEXT_INVALID"),
    ({"external_id": "M-1\u200b"}, "TEXT_INVALID"),
    ({"phone": "12"}, "PHONE_INVALID"),
    ({"nickname": "n" * 1_000_0}, "TEXT_INVALID"),
    ({"nickname": "\u202egnp.exe"}, "TEXT_INVALID"),
    ({"gender": "?"}, "GENDER_INVALID"),
    ({"birthday": "1990-02-30"}, "DATE_INVALID"),
    ({"birthday": "2190-01-01"}, "DATE_INVALID"),
    ({"preferred_channel": "a b"}, "TEXT_INVALID"),
    ({"joined_at": "soon"}, "DATE_INVALID"),
    ({"joined_at": "2190-01-01"}, "DATE_INVALID"),
    ({"interests": "tea;cars"}, "INTERESTS_INVALID"),
    ({"level": "diamond"}, "LEVEL_INVALID"),
    ({"level_keep_until": "2031-01-01"}, "LEVEL_INVALID"),
    ({"level": "gold", "level_keep_until": "2001-01-01"}, "DATE_INVALID"),
    ({"level": "gold", "level_keep_until": "9999-12-30"}, "DATE_INVALID"),
    ({"points": "-1"}, "POINTS_INVALID"),
    ({"points": "1.5"}, "POINTS_INVALID"),
    ({"points": "9007199254740992"}, "POINTS_INVALID"),
    ({"points": "1", "points_expires_at": "2001-01-01"}, "DATE_INVALID"),
    ({"points": "1", "points_expires_at": "31/12/2031"}, "DATE_INVALID"),
    ({"points": "1", "lots": "[]"}, "LOTS_INVALID"),
    ({"lots": "12"}, "LOTS_INVALID"),
    ({"lots": '[{"points": 1, "expires": "2031-01-01"}]'}, "LOTS_INVALID"),
    ({"lots": '[{"points": 1.5}]'}, "POINTS_INVALID"),
    ({"debt": "3"}, "DEBT"),
    ({"wechat_openid": "o-alice"}, "IDENTITY_REFUSED"),
    ({"member_id": "7"}, "IDENTITY_REFUSED"),
]


async def test_bad_rows_each_with_its_reason_and_nothing_of_theirs(
    database_url: str, tmp_path: Path
) -> None:
    await prepare(database_url)
    bad = [{"external_id": f"B-{n}", "nickname": "Bad", **row} for n, (row, _) in enumerate(BAD)]
    rows = [
        MEI,
        *bad,
        # One bad row takes the member's others with it; rows of one member must not differ.
        {"external_id": "P-1", "points": "100"},
        {"external_id": "P-1", "points": "many"},
        {"external_id": "P-2", "nickname": "One", "points": "1"},
        {"external_id": "P-2", "nickname": "Another", "points": "1"},
        LI,
    ]
    header = [*HEADER, "lots", "debt", "wechat_openid", "member_id"]
    file = write(tmp_path / "members.csv", rows, header)
    summary = await import_members(database_url, file, rejects=tmp_path / "no.csv")
    assert (summary.rows, summary.imported, summary.rejected) == (len(rows), 2, len(rows) - 2)
    codes = [code for _, code in BAD]
    codes += ["MEMBER_REJECTED", "POINTS_INVALID", "ROWS_DIFFER", "ROWS_DIFFER"]
    assert rejected(tmp_path / "no.csv") == [
        (str(number), code) for number, code in enumerate(codes, start=2)
    ]
    await storage.connect(database_url)
    try:
        names = await rows_of("SELECT nickname FROM member ORDER BY nickname")
        assert [row["nickname"] for row in names] == ["", "小梅"]
        [points] = await rows_of("SELECT SUM(available)::bigint AS points FROM points_account")
        assert points["points"] == 1205
    finally:
        await storage.close()


@pytest.mark.parametrize("form", ["lots", "parquet"])
async def test_lots_as_json_and_members_from_parquet(
    sqlite_url: str, tmp_path: Path, form: str
) -> None:
    await prepare(sqlite_url)
    lots = (
        '[{"points": 10, "expires_at": "2031-12-31"},'
        ' {"points": 5, "earned_at": "2020-01-02T03:04:05Z", "matures_at": "2030-01-01"}]'
    )
    if form == "lots":
        file = write(
            tmp_path / "m.csv", [{"external_id": "J", "lots": lots}], ["external_id", "lots"]
        )
    else:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        file = tmp_path / "m.parquet"
        made = {
            "id": [7, 7],
            "points": pa.array([10, 5], pa.int32()),
            "points_expires_at": pa.array([date(2031, 12, 31), None], pa.date32()),
            "points_earned_at": pa.array(
                [None, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)], pa.timestamp("us", tz="UTC")
            ),
            "points_matures_at": pa.array([None, date(2030, 1, 1)], pa.date32()),
        }
        parquet.write_table(pa.table(made), file)
    columns = {"external_id": "id"} if form == "parquet" else {}
    summary = await import_members(sqlite_url, file, columns=columns)
    assert (summary.members, summary.lots, summary.points) == (1, 2, 15)
    await storage.connect(sqlite_url)
    try:
        found = await rows_of(
            "SELECT remaining, pending, expires_at, matures_at FROM points_lot ORDER BY remaining"
        )
        matures = datetime(2029, 12, 31, 16, tzinfo=UTC)
        assert tuple(found[0].values()) == (5, True, ledger.NEVER, matures)
        assert found[1]["expires_at"] == datetime(2031, 12, 31, 16, tzinfo=UTC)
        assert found[1]["pending"] is False
    finally:
        await storage.close()
