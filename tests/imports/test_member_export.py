"""Members as a file, and that file as members of an empty programme; on both databases."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.imports.member_export import ExportCounts, export_members
from api.imports.progress import Reporter
from api.imports.reading import UnusableFile
from domain import storage
from domain.custody import ListedMember, list_members
from domain.ledger import Earn, HoldPoints, Key, Redeem, Source, hold_points, post, verify_accounts
from domain.ledger.commands import TakeBack
from domain.members import ByExternalReference, IdentityKind, Known, resolve_members
from domain.members.joining import join
from tests.imports.moving import import_members, many, prepare, rejected, run_import, write
from tests.imports.running import run

LATELY = datetime.now(UTC) - timedelta(days=2)
MEMBERS = 120
SOURCE = Source(kind="purchase", reference="till-1")


async def live_on(url: str) -> None:
    """Some days in the lives of the first members: spending, waiting, holding, letting expire."""
    await storage.connect(url)
    try:
        refs = [ByExternalReference(f"C-{number:06}") for number in range(4)]
        spender, waiter, holder, loser = [one for one in await resolve_members(refs) if one]
        outcomes = await post(
            [
                earning(spender, 500),
                Redeem(member_id=spender, points=450, source=SOURCE),
                earning(waiter, 70, matures_at=LATELY + timedelta(days=900)),
                earning(waiter, 9, matures_at=LATELY + timedelta(days=1)),
                earning(holder, 80),
                earning(loser, 1_000, expires_at=LATELY + timedelta(days=1)),
            ],
            now=LATELY,
        )
        assert [type(one).__name__ for one in outcomes] == ["Posted"] * 6
        hold = HoldPoints(
            owner="corner-shop",
            member=refs[2],
            points=60,
            reference="order-1",
            idempotency_key="hold-1",
            expires_in_minutes=7 * 24 * 60,
        )
        await hold_points(hold, now=LATELY)

        async def sign_up() -> None:
            openid = Known(kind=IdentityKind.WECHAT_OPENID, app_id="wx1", subject="o-alice")
            unionid = Known(kind=IdentityKind.WECHAT_UNIONID, app_id="", subject="u-alice")
            await join([openid, unionid], facts={"via": "wechat"}, now=LATELY)

        await storage.transaction(sign_up)
    finally:
        await storage.close()


def earning(member_id: UUID, points: int, **moments: Any) -> Earn:
    expires_at = moments.pop("expires_at", LATELY + timedelta(days=1_000))
    return Earn(
        member_id=member_id,
        points=points,
        source=SOURCE,
        effective_at=LATELY,
        expires_at=expires_at,
        key=Key(scope="tests", key=f"{member_id}/{points}"),
        **moments,
    )


async def export(url: str, file: Path) -> ExportCounts:
    await storage.connect(url)
    try:
        return await export_members(file, now=lambda: datetime.now(UTC), reporter=Reporter())
    finally:
        await storage.close()


async def listed(url: str) -> list[ListedMember]:
    """All members of the database as others would bring them, but for the ids that they have."""
    found: list[ListedMember] = []

    def take() -> Any:
        found.clear()
        return found.extend

    await storage.connect(url)
    try:
        await list_members(take, now=datetime.now(UTC))
    finally:
        await storage.close()
    return sorted((_anywhere(one) for one in found), key=_nickname_of)


def _nickname_of(one: ListedMember) -> str:
    return one.newcomer.member.nickname or ""


def _anywhere(one: ListedMember) -> ListedMember:
    """The member without what differs from programme to programme."""
    member = one.newcomer.member
    own = member.external_id == str(member.member_id)
    named = "their own id" if own or member.known_by else member.external_id
    anywhere = replace(
        member, external_id=named, member_id=None, nickname=member.nickname or "nobody"
    )
    newcomer = replace(
        one.newcomer, member=anywhere, lots=tuple(sorted(one.newcomer.lots, key=str))
    )
    return replace(one, newcomer=newcomer)


async def totals(url: str) -> tuple[int, int, int]:
    """Members, points of all lots that have not expired, and points that are pending."""
    await storage.connect(url)
    try:
        rows = await storage.fetch_all("SELECT member_id FROM points_account ORDER BY member_id")
        checked = await verify_accounts([row["member_id"] for row in rows])
        assert checked.violations == ()
        [lots] = await storage.fetch_all(
            "SELECT SUM(remaining)::bigint AS points,"
            " SUM(CASE WHEN pending AND matures_at > $1 THEN remaining ELSE 0 END)::bigint"
            " AS waiting"
            " FROM points_lot WHERE expires_at > $1",
            datetime.now(UTC),
        )
        [members] = await storage.fetch_all("SELECT COUNT(*) AS n FROM member")
        return members["n"], lots["points"], lots["waiting"]
    finally:
        await storage.close()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
async def test_an_export_is_the_same_members_in_an_empty_programme(
    sqlite_url: str, postgres_url: str, tmp_path: Path, ending: str
) -> None:
    # From one engine to the other, and back.
    old, new = (sqlite_url, postgres_url) if ending == "csv" else (postgres_url, sqlite_url)
    await prepare(old)
    await prepare(new)
    rows, _, points = many(MEMBERS, seed=1)
    await import_members(old, write(tmp_path / "old.csv", rows))
    await live_on(old)

    file = tmp_path / f"export.{ending}"
    counts = await export(old, file)
    points += 50 + 79 + 80
    assert (counts.members, counts.points, counts.in_debt) == (MEMBERS + 1, points, 0)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [name for name in os.listdir(tmp_path) if "export" in name] == [file.name]

    summary = await import_members(new, file)
    assert (summary.created, summary.rejected, summary.points) == (MEMBERS + 1, 0, points)
    assert await totals(new) == await totals(old) == (MEMBERS + 1, points, 70)
    brought, there = await listed(new), await listed(old)
    assert len(there) == MEMBERS + 1
    assert brought == there


async def test_an_export_is_not_brought_into_the_programme_that_it_is_of(
    database_url: str, tmp_path: Path
) -> None:
    await prepare(database_url)
    rows, _, points = many(3, seed=2)
    await import_members(database_url, write(tmp_path / "old.csv", rows))
    file = tmp_path / "export.csv"
    await export(database_url, file)
    again = await import_members(database_url, file, rejects=tmp_path / "no.csv")
    assert (again.imported, again.rejected) == (0, len(rows))
    # They were brought before; whose file says nothing of that are told by their own id.
    assert {code for _, code in rejected(tmp_path / "no.csv")} == {"IDEMPOTENCY_CONFLICT"}
    with file.open(encoding="utf-8", newline="") as opened:
        moved = [
            {**row, "external_id": f"new-{row['external_id']}"} for row in csv.DictReader(opened)
        ]
    write(file, moved, list(moved[0]))
    again = await import_members(database_url, file, rejects=tmp_path / "no.csv")
    assert {code for _, code in rejected(tmp_path / "no.csv")} == {"IDENTITY_REFUSED"}
    assert (await totals(database_url))[:2] == (3, points)


async def test_who_owes_points_is_told_and_not_brought(sqlite_url: str, tmp_path: Path) -> None:
    await prepare(sqlite_url)
    await import_members(sqlite_url, write(tmp_path / "old.csv", [{"external_id": "C-000000"}]))
    await storage.connect(sqlite_url)
    try:
        [member_id] = await resolve_members([ByExternalReference("C-000000")])
        assert member_id is not None
        await post(
            [earning(member_id, 10), Redeem(member_id=member_id, points=10, source=SOURCE)],
            now=LATELY,
        )
        back = TakeBack(member_id=member_id, entry_seq=1, points=10, source=SOURCE)
        await post([back], now=LATELY)
    finally:
        await storage.close()
    file = tmp_path / "export.csv"
    said = await run(sqlite_url, "export-members", file)
    assert "1 members in 1 rows, 0 points; " in said
    assert "1 of them owe points, which no import takes\n" in said
    with file.open(encoding="utf-8", newline="") as opened:
        [row] = csv.DictReader(opened)
    assert (row["debt"], row["points"]) == ("10", "")
    again = await run_import(sqlite_url, file, "--rejects", tmp_path / "no.csv")
    assert (again.rows, again.rejected, again.members) == (1, 1, 0)
    assert rejected(tmp_path / "no.csv") == [("1", "DEBT")]
    await storage.connect(sqlite_url)
    try:
        acts = await storage.fetch_all(
            "SELECT action, target_id FROM audit_entry WHERE target_kind = 'file' ORDER BY seq"
        )
        assert [tuple(dict(act).values()) for act in acts] == [
            ("export.members", "export.csv"),
            ("import.members", "export.csv"),
        ]
    finally:
        await storage.close()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("members.xlsx", "name a file that ends in .csv or .parquet"),
        ("there.csv", "there is such a file already"),
        ("no/such/folder.csv", "No such file or directory"),
    ],
)
async def test_where_no_export_can_be_written(
    sqlite_url: str, tmp_path: Path, name: str, reason: str
) -> None:
    there = tmp_path / "there.csv"
    there.write_text("kept")
    with pytest.raises(UnusableFile, match=re.escape(f"{tmp_path / name}: {reason}")):
        await export(sqlite_url, tmp_path / name)
    assert there.read_text() == "kept"
