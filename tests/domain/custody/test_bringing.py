"""Who a brought member is, what they keep, and what is refused; on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain import custody, idempotency, members, tiers
from domain.custody import Brought, Newcomer, OpeningLot, bring_members
from domain.errors import IdempotencyConflict, InvalidInput, Refusal
from domain.files import ErasureJournal, FileStore
from domain.ledger import (
    NEVER,
    POINTS_MAX,
    Earn,
    Key,
    Source,
    balance,
    post_one,
    verify_account,
)
from domain.members import (
    BroughtMember,
    ByExternalReference,
    ByPhone,
    IdentityKind,
    Known,
    UpdateProfile,
    register_external_members,
    resolve_members,
    update_profile,
)
from domain.members.joining import join
from domain.program import program
from domain.storage import fetch_all, observed_statements, transaction
from tests.domain.access.fixtures import NOW
from tests.graphql.kept import everything_kept
from tests.graphql.programme import set_up_programme

PHONE = "+8613800138000"
_LEVEL = ("level", "level_since", "level_keep_until")
OPENID = Known(kind=IdentityKind.WECHAT_OPENID, app_id="wx1", subject="o-mei")


@pytest.fixture(autouse=True)
async def _programme(database: str) -> None:
    await set_up_programme(now=NOW)


def newcomer(external_id: str = "C-1", *points: int, **said: Any) -> Newcomer:
    """A member of another system, with lots of these points that never expire."""
    brought = {name: said.pop(name) for name in _LEVEL if name in said}
    return Newcomer(
        member=BroughtMember(external_id=external_id, **said),
        lots=tuple(OpeningLot(points=one, expires_at=NEVER) for one in points),
        **brought,
    )


async def bring(*newcomers: Newcomer, now: datetime = NOW) -> list[Brought]:
    """Bring them all; nobody is refused."""
    outcomes = await bring_members(newcomers, now=now)
    assert [one for one in outcomes if isinstance(one, Refusal)] == []
    return [one for one in outcomes if isinstance(one, Brought)]


async def refused(*newcomers: Newcomer) -> list[tuple[str, ...] | str]:
    """Bring them; each is refused, nothing changes. The fields, or the codes, that are told."""
    before = await everything_kept()
    told: list[tuple[str, ...] | str] = []
    for outcome in await bring_members(newcomers, now=NOW):
        assert isinstance(outcome, Refusal)
        told.append(outcome.field or outcome.code.value)
    assert await everything_kept() == before
    return told


async def available(member_id: UUID) -> int:
    return (await balance(member_id, now=NOW)).available


async def test_whom_purchases_made_known_is_filled_in_and_keeps_what_they_said() -> None:
    [member_id] = (await register_external_members([ByExternalReference("C-1")], now=NOW)).values()
    await update_profile(UpdateProfile(member_id=member_id, nickname="Mei"), now=NOW)
    since = NOW - timedelta(days=900)
    said = newcomer(
        "C-1", 100, 20,
        nickname="小梅", gender="female", birthday=date(1990, 2, 28), joined_at=since,
        phone=PHONE, known_by=(OPENID,), themes=("tea",), level="silver",
    )  # fmt: skip
    [brought] = await bring(said)
    assert brought == Brought(member_id=member_id, is_new=False, points=120)
    member = (await members.members_by_ids([member_id]))[member_id]
    assert (member.nickname, member.gender, member.birthday, member.joined_at) == (
        *("Mei", "female"),
        date(1990, 2, 28),
        since,
    )
    assert member.version == 3
    assert [one.theme_code for one in await members.interests(member_id)] == ["tea"]
    assert await resolve_members([ByPhone(PHONE)]) == [member_id]
    assert await tiers.level_codes([member_id]) == {member_id: "silver"}
    assert await available(member_id) == 120
    assert await verify_account(member_id) == []


async def test_who_signed_up_with_what_the_other_system_knows_is_the_same_person() -> None:
    async def sign_up() -> UUID:
        return (await join([OPENID], facts={"via": "wechat"}, now=NOW)).id

    member_id = await transaction(sign_up)
    [brought] = await bring(newcomer("C-1", 7, known_by=(OPENID,), phone=PHONE))
    assert (brought.member_id, brought.is_new) == (member_id, False)
    assert await resolve_members([ByExternalReference("C-1"), ByPhone(PHONE)]) == [member_id] * 2
    # Another who says the same of themselves is somebody else, and there can be but one.
    assert await refused(newcomer("C-2", 7, known_by=(OPENID,))) == [("external_id",)]
    assert await refused(newcomer("C-2", 7, phone=PHONE)) == [("external_id",)]
    assert await available(member_id) == 7


async def test_who_leads_to_two_members_is_left_to_staff() -> None:
    await bring(newcomer("C-1", phone=PHONE), newcomer("C-2", known_by=(OPENID,)))
    both = newcomer("C-3", 5, phone=PHONE, known_by=(OPENID,))
    assert await refused(both) == [("phone",)]
    await register_external_members([ByExternalReference("C-4")], now=NOW)
    assert await refused(newcomer("C-4", 5, phone=PHONE)) == [("phone",)]


async def test_what_is_one_members_in_a_batch_is_no_others() -> None:
    same = [newcomer(f"C-{n}", 5, phone=PHONE, known_by=(OPENID,)) for n in (1, 2)]
    first, second = await bring_members(same, now=NOW)
    assert isinstance(first, Brought)
    assert isinstance(second, InvalidInput)
    assert second.field == ("wechat_openid",)
    rows = await fetch_all("SELECT id FROM member")
    assert [row["id"] for row in rows] == [first.member_id]


async def test_a_member_with_another_phone_keeps_it() -> None:
    async def sign_up() -> None:
        member = await join([OPENID], facts={"via": "wechat"}, now=NOW)
        await members.bind_phone_identity(member.id, "+8613900139000", now=NOW)

    await transaction(sign_up)
    assert await refused(newcomer("C-1", 5, phone=PHONE, known_by=(OPENID,))) == [("phone",)]


async def test_who_cannot_take_their_points_comes_not_at_all_and_the_others_do() -> None:
    [rich] = (await register_external_members([ByExternalReference("rich")], now=NOW)).values()
    all_there_is = Earn(
        member_id=rich,
        points=POINTS_MAX,
        source=Source(kind="purchase", reference="1"),
        effective_at=NOW,
        expires_at=NEVER,
        key=Key(scope="tests", key="1"),
    )
    await post_one(all_there_is, now=NOW)
    greedy = newcomer("rich", 1, nickname="Rich", phone=PHONE, level="gold", themes=("tea",))
    outcomes = await bring_members([newcomer("C-1", 5), greedy, newcomer("C-2", 6)], now=NOW)
    assert [type(one).__name__ for one in outcomes] == ["Brought", "PointsOutOfRange", "Brought"]
    assert (await members.members_by_ids([rich]))[rich].nickname == ""
    assert await resolve_members([ByPhone(PHONE)]) == [None]
    assert await members.interests(rich) == []
    assert await tiers.level_codes([rich]) == {rich: "bronze"}
    [row] = await fetch_all("SELECT COUNT(*) AS members FROM member")
    assert row["members"] == 3
    # It was not remembered: without points the member may come.
    [brought] = await bring(newcomer("rich", nickname="Rich"))
    assert (brought.member_id, brought.replayed) == (rich, False)


BAD = [
    (newcomer("C-1", level="diamond"), ("level",)),
    (newcomer("C-1", level_since=NOW), ("level",)),
    (newcomer("C-1", level="gold", level_since=NOW + timedelta(seconds=1)), ("level_since",)),
    (newcomer("C-1", themes=("tea", "cars")), ("themes",)),
    (newcomer("C-1", themes=("t" * 65,)), ("themes", "0")),
    (newcomer("C-1", nickname="n" * 1_000_000), ("nickname",)),
    (newcomer("C-1", nickname="a\u0000b"), ("nickname",)),
    (newcomer("C-1", birthday=date(2126, 1, 1)), ("birthday",)),
    (newcomer("C-1", gender="unknown"), ("gender",)),
    (newcomer("C-1", joined_at=NOW + timedelta(seconds=1)), ("joined_at",)),
    (newcomer("C-1", phone="13800138000"), ("phone",)),
    (newcomer(""), ("external_id",)),
    (newcomer("x" * 129), ("external_id",)),
    (newcomer("C-1", 0), ("points",)),
    (newcomer("C-1", POINTS_MAX, 1), ("points",)),
    (
        replace(newcomer("C-1"), lots=(OpeningLot(points=1, expires_at=NOW),)),
        ("points_expires_at",),
    ),
    (
        replace(
            newcomer("C-1"),
            lots=(
                OpeningLot(points=1, expires_at=NEVER, earned_at=datetime(1969, 1, 1, tzinfo=UTC)),
            ),
        ),
        ("points_earned_at",),
    ),
]


async def test_bad_values_are_refused_by_field_and_nothing_changes() -> None:
    for bad, field in BAD:
        assert await refused(bad) == [field], bad


async def test_the_same_again_is_answered_and_anything_else_refused() -> None:
    first = newcomer("C-1", 10, 20, level="silver")
    [brought] = await bring(first)
    before = await everything_kept()
    turned = replace(first, lots=tuple(reversed(first.lots)))
    other_words = replace(first, member=replace(first.member, nickname="梅"))
    for again in (first, turned, other_words):
        assert await bring(again) == [replace(brought, is_new=False, replayed=True)]
    for other in (newcomer("C-1", 30, level="silver"), newcomer("C-1", 10, 20, level="gold")):
        [outcome] = await bring_members([other], now=NOW)
        assert isinstance(outcome, IdempotencyConflict)
        # What is kept of a member who was brought does not say who it is.
        assert "C-1" not in outcome.key
    assert await everything_kept() == before


async def test_a_bug_that_forgets_who_was_brought_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [brought] = await bring(newcomer("C-1", 10))

    async def forget(scope: str, inputs: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(idempotency, "recall", forget)
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        await bring_members([newcomer("C-1", 10)], now=NOW)
    assert await available(brought.member_id) == 10


async def test_an_audit_finds_a_lot_that_was_brought_twice() -> None:
    [brought] = await bring(newcomer("C-1", 10, 20))
    rows = await fetch_all("SELECT reference FROM points_entry_text ORDER BY seq")
    assert len({row["reference"] for row in rows}) == 2
    again = Earn(
        member_id=brought.member_id,
        points=10,
        source=Source(kind="opening", reference=rows[0]["reference"]),
        effective_at=NOW,
        expires_at=NEVER,
        key=Key(scope="tests", key="a bug's"),
    )
    await post_one(again, now=NOW)
    [violation] = await verify_account(brought.member_id)
    assert violation.rule == "references"


async def test_a_higher_level_stays_and_the_base_needs_no_row() -> None:
    await bring(newcomer("C-1", level="gold"), newcomer("C-2", level="bronze"))
    [high] = await resolve_members([ByExternalReference("C-1")])
    rows = await fetch_all("SELECT member_id, level_code, changes FROM member_level")
    assert [tuple(dict(row).values()) for row in rows] == [(high, "gold", 1)]

    assert high is not None
    lower = tiers.OpeningLevel(member_id=high, code="silver")
    zone = (await program()).zone
    granting = partial(tiers.grant_opening_levels, [lower], zone=zone, now=NOW)
    assert await transaction(granting) == []


async def test_a_level_is_brought_for_a_hundred_years_at_most() -> None:
    most, moment = NOW + timedelta(days=36_525), timedelta(microseconds=1)
    for until in (NOW, most + moment, NEVER):
        late = newcomer("C-1", level="silver", level_keep_until=until)
        assert await refused(late) == [("level_keep_until",)]
        [outcome] = await bring_members([late], now=NOW)
        assert isinstance(outcome, InvalidInput)
        assert outcome.rule == "in the future, at most 100 years ahead"
    [brought] = await bring(newcomer("C-1", level="silver", level_keep_until=most))
    held = await tiers.held_levels([brought.member_id])
    assert held[brought.member_id].keep_until == most


async def test_a_fixed_number_of_statements_whatever_the_number_of_members() -> None:
    counts = []
    for size in (3, 60):
        crowd = [
            newcomer(
                f"{size}-{n}", 5, 6,
                phone=f"+861380{size:03}{n:04}", themes=("tea",), level="gold", nickname="x",
            )
            for n in range(size)
        ]  # fmt: skip
        with observed_statements() as statements:
            await bring(*crowd)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 40


async def test_two_imports_of_one_file_bring_everybody_once() -> None:
    crowd = [newcomer(f"C-{n:03}", 5, phone=f"+8613800{n:06}") for n in range(60)]
    both = await asyncio.gather(bring(*crowd), bring(*crowd))
    assert sorted(one.replayed for brought in both for one in brought) == [False] * 60 + [True] * 60
    [row] = await fetch_all(
        "SELECT COUNT(*) AS members, SUM(available)::bigint AS points FROM points_account"
    )
    assert (row["members"], row["points"]) == (60, 300)
    assert len(await fetch_all("SELECT id FROM member")) == 60


async def test_the_same_file_does_not_bring_back_who_was_erased(tmp_path: Path) -> None:
    mei = newcomer("C-1", 10, phone=PHONE, nickname="Mei")
    [brought] = await bring(mei)
    await custody.erase(
        brought.member_id,
        journal=ErasureJournal(tmp_path / "erasures.jsonl"),
        files=FileStore(tmp_path / "files"),
        now=NOW,
    )
    [again] = await bring(mei)
    assert again.replayed
    assert await resolve_members([ByExternalReference("C-1"), ByPhone(PHONE)]) == [None, None]
