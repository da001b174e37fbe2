"""Products and themes: made and changed by code, in batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.catalogue import (
    CatalogueItem,
    DeclareInterests,
    Theme,
    Upserted,
    declare_interests,
    products_by_code,
    products_by_id,
    themes,
    themes_of_products,
    upsert_products,
)
from domain.errors import InvalidInput, MemberNotFound
from domain.members import ByExternalReference, interests, register_external_members
from domain.storage import dialect, fetch_all, observed_statements
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
TEA = Theme(code="TEA", name_zh="茶", name_en="Tea")
DRUGS = Theme(code="DRUG GM", name_zh="DRUG GM", name_en="DRUG GM")
LONGJING = CatalogueItem(
    code="longjing",
    title="西湖龙井 🍵",
    theme=TEA,
    image_url="https://img.example/longjing.jpg",
    price_fen=16_800,
)
CUP = CatalogueItem(code="cup", title="Cup")


def counts(created: int, changed: int, unchanged: int) -> Upserted:
    return Upserted(created=created, changed=changed, unchanged=unchanged)


async def test_products_are_made_then_changed_by_their_code() -> None:
    assert await upsert_products([LONGJING, CUP], now=NOW) == counts(2, 0, 0)
    made = await products_by_code(["cup", "longjing", "nothing", "cup"])
    assert made.keys() == {"cup", "longjing"}
    longjing = made["longjing"]
    assert (longjing.title, longjing.theme, longjing.image_url, longjing.price_fen) == (
        "西湖龙井 🍵",
        TEA,
        "https://img.example/longjing.jpg",
        16_800,
    )
    assert (made["cup"].theme, made["cup"].image_url, made["cup"].price_fen) == (None, None, None)

    dearer = replace(LONGJING, price_fen=18_800)
    assert await upsert_products([dearer, CUP], now=LATER) == counts(0, 1, 1)
    after = await products_by_id([longjing.id, UUID(int=0)])
    assert after == {longjing.id: replace(longjing, price_fen=18_800)}
    rows = await fetch_all("SELECT code, updated_at FROM product")
    assert {row["code"]: row["updated_at"] for row in rows} == {"longjing": LATER, "cup": NOW}


async def test_saying_the_same_again_changes_nothing() -> None:
    await upsert_products([LONGJING, CUP], now=NOW)
    before = await everything_kept()
    assert await upsert_products([CUP, LONGJING], now=LATER) == counts(0, 0, 2)
    assert await everything_kept() == before


@pytest.mark.parametrize(
    "other",
    [
        replace(LONGJING, title="Longjing"),
        replace(LONGJING, theme=None),
        replace(LONGJING, theme=DRUGS),
        replace(LONGJING, image_url=None),
        replace(LONGJING, price_fen=None),
    ],
    ids=["title", "no theme", "theme", "image", "price"],
)
async def test_each_altered_field_is_a_change(other: CatalogueItem) -> None:
    await upsert_products([LONGJING], now=NOW)
    assert await upsert_products([other], now=LATER) == counts(0, 1, 0)
    product = (await products_by_code(["longjing"]))["longjing"]
    assert (product.title, product.theme, product.image_url, product.price_fen) == (
        other.title,
        other.theme,
        other.image_url,
        other.price_fen,
    )


@pytest.mark.parametrize(
    ("other", "card"),
    [
        (replace(LONGJING, level_code="gold"), {"level_code": "gold"}),
        (replace(LONGJING, introduced_at=NOW), {"introduced_at": NOW}),
        (replace(LONGJING, active=False), {"active": False}),
    ],
    ids=["for a level", "new", "not sold"],
)
async def test_for_whom_and_since_when_it_is_stands_on_the_card(
    other: CatalogueItem, card: dict[str, object]
) -> None:
    plain = {"level_code": None, "introduced_at": None, "active": True}
    await upsert_products([LONGJING], now=NOW)
    assert await the_card() == plain
    assert await upsert_products([other], now=LATER) == counts(0, 1, 0)
    assert await the_card() == plain | card
    assert await upsert_products([other], now=LATER) == counts(0, 0, 1)
    # What says nothing of it takes it away.
    assert await upsert_products([LONGJING], now=LATER) == counts(0, 1, 0)
    assert await the_card() == plain


async def the_card() -> dict[str, object]:
    [row] = await fetch_all("SELECT level_code, introduced_at, active FROM product_card")
    return dict(row)


async def test_of_a_code_that_comes_twice_the_last_counts() -> None:
    assert await upsert_products([CUP, replace(CUP, title="Mug")], now=NOW) == counts(1, 0, 0)
    assert (await products_by_code(["cup"]))["cup"].title == "Mug"


async def test_themes_are_made_once_and_keep_their_names() -> None:
    await upsert_products([LONGJING, replace(CUP, theme=DRUGS)], now=NOW)
    renamed = replace(TEA, name_en="Teas")
    await upsert_products([CatalogueItem(code="oolong", title="乌龙", theme=renamed)], now=NOW)
    assert await themes() == [DRUGS, TEA]
    assert await themes_of_products(["oolong", "cup", "none"]) == {
        "oolong": "TEA",
        "cup": "DRUG GM",
    }


UNSOUND: dict[str, tuple[CatalogueItem, str]] = {
    "no code": (replace(CUP, code=""), "code"),
    "a long code": (replace(CUP, code="c" * 65), "code"),
    "a NUL": (replace(CUP, title="a\0"), "title"),
    "a lone surrogate": (replace(CUP, title="\ud800"), "title"),
    "a long title": (replace(CUP, title="t" * 257), "title"),
    "a long theme": (replace(CUP, theme=replace(TEA, code="t" * 65)), "theme"),
    "a nameless theme": (replace(CUP, theme=replace(TEA, name_zh="")), "theme"),
    "a long address": (replace(CUP, image_url="u" * 2_049), "image_url"),
    "a negative price": (replace(CUP, price_fen=-1), "price_fen"),
    "too large a price": (replace(CUP, price_fen=2**53), "price_fen"),
    "a nameless level": (replace(CUP, level_code=""), "level_code"),
    "a long level": (replace(CUP, level_code="l" * 33), "level_code"),
}


async def test_an_item_that_breaks_a_rule_refuses_the_batch_and_changes_nothing() -> None:
    before = await everything_kept()
    for what, (item, field) in UNSOUND.items():
        with pytest.raises(InvalidInput) as refused:
            await upsert_products([LONGJING, item], now=NOW)
        assert refused.value.field == (field,), what
    assert await everything_kept() == before


async def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    await upsert_products([LONGJING, CUP], now=NOW)
    numbers = []
    for size in (3, 1_000):
        items = [
            CatalogueItem(
                code=f"{size}-{n}", title="new", theme=replace(TEA, code=f"{size}-{n % 40}")
            )
            for n in range(size - 1)
        ]
        with observed_statements() as seen:
            await upsert_products([replace(CUP, title=str(size)), *items], now=NOW)
        numbers.append(len(seen))
    told = 1 if dialect() == "postgres" else 2
    assert numbers == [5 + told, 5 + told]


async def test_interests_are_declared_in_themes_that_exist() -> None:
    await upsert_products([LONGJING, replace(CUP, theme=DRUGS)], now=NOW)
    joined = await register_external_members([ByExternalReference("alice")], now=NOW)
    alice = joined["alice"]
    declared = await declare_interests(
        DeclareInterests(member_id=alice, themes=["TEA", "DRUG GM", "TEA"]), now=NOW
    )
    assert {one.theme_code for one in declared} == {"TEA", "DRUG GM"}

    before = await everything_kept()
    for chosen in (["TEA", "COFFEE"], ["a\0"], ["\ud800"], [""], [str(n) for n in range(101)]):
        with pytest.raises(InvalidInput) as refused:
            await declare_interests(DeclareInterests(member_id=alice, themes=chosen), now=NOW)
        assert refused.value.field == ("themes",)
    with pytest.raises(MemberNotFound):
        await declare_interests(DeclareInterests(member_id=UUID(int=0), themes=["TEA"]), now=NOW)
    assert await everything_kept() == before

    assert await declare_interests(DeclareInterests(member_id=alice, themes=[]), now=LATER) == []
    assert await interests(alice) == []
    assert changed(before, await everything_kept()) == {
        "member",
        "member_interest",
        "outbox",
        "outbox_stream",
    }
