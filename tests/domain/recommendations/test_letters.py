"""Letters about new products: to whom, about what, how often, and in which words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import catalogue, custody, recommendations, tiers
from domain.catalogue import CatalogueItem, Product, Theme, products_by_code
from domain.custody import MergeBecause
from domain.notifications import Wording, words
from domain.purchases import publish_rule
from domain.recommendations import (
    MARKETING,
    PERSONALIZATION,
    ReasonKind,
    Recommendations,
    Recommended,
    SetNotInterested,
    Shelf,
    ShownReason,
    Surface,
)
from domain.recommendations import letters as walk
from domain.recommendations.letters import Addressee, NewProduct, product_for
from domain.recommendations.scoring import Taste
from domain.storage import observed_statements, transaction
from tests.domain.purchases.shop import LEVELS, NOW, RULE, Shop, line, order
from tests.domain.recommendations.mailing import (
    BOOKS,
    DAY,
    NEW_BOOK,
    NEW_TEA,
    TEA,
    WEEK,
    agree,
    infer,
    letters,
    open_house,
    reader,
    send,
    told,
)
from tests.domain.tiers.evaluated import granted
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def test_a_new_product_of_a_declared_theme_is_written_of_once() -> None:
    await open_house()
    alice = await reader("alice", "TEA")
    assert await send() == 1
    product = (await products_by_code(["biluochun"]))["biluochun"]
    assert await letters() == [(alice, "biluochun", NOW)]
    assert await told(alice) == [
        {"product": str(product.id), "title": "碧螺春", "theme_zh": "茶", "theme_en": "Tea"}
    ]
    before = await everything_kept()
    for now in (NOW, NOW + WEEK, NOW + 20 * DAY):
        assert await send(now) == 0
    assert await everything_kept() == before


@pytest.mark.parametrize("agreeing", [(), (MARKETING,), (PERSONALIZATION,)], ids=str)
async def test_who_did_not_agree_to_both_is_not_written_to(agreeing: Sequence[str]) -> None:
    await open_house()
    await reader("alice", "TEA", agreeing=agreeing)
    before = await everything_kept()
    assert await send() == 0
    assert await everything_kept() == before


@pytest.mark.parametrize("purpose", [MARKETING, PERSONALIZATION])
async def test_who_withdrew_is_not_written_to(purpose: str) -> None:
    await open_house()
    alice = await reader("alice", "TEA")
    await agree(alice, purpose, granted=False, now=NOW + timedelta(seconds=1))
    before = await everything_kept()
    assert await send(NOW + timedelta(seconds=2)) == 0
    assert await everything_kept() == before


UNFIT = {
    "of another theme": replace(NEW_TEA, theme=BOOKS),
    "without a theme": replace(NEW_TEA, theme=None),
    "not sold": replace(NEW_TEA, active=False),
    "always there": replace(NEW_TEA, introduced_at=None),
    "new thirty days ago": replace(NEW_TEA, introduced_at=NOW - 30 * DAY),
    "still to come": replace(NEW_TEA, introduced_at=NOW + timedelta(seconds=1)),
    "for another level": replace(NEW_TEA, level_code="gold"),
    "for a level that is not there": replace(NEW_TEA, level_code="emperor"),
}


@pytest.mark.parametrize("item", UNFIT.values(), ids=UNFIT)
async def test_what_is_not_for_the_member_is_not_written_of(item: CatalogueItem) -> None:
    await tiers.define_levels(LEVELS, perks=[], now=NOW)
    await open_house(item)
    await reader("alice", "TEA")
    assert await send() == 0
    assert await letters() == []


async def test_who_stands_high_enough_is_written_of_what_is_for_a_level() -> None:
    await tiers.define_levels(LEVELS, perks=[], now=NOW)
    await open_house(replace(NEW_TEA, level_code="gold"))
    await reader("alice", "TEA")
    bob = await reader("bob", "TEA")
    await granted(bob, "gold", until=NOW + 30 * DAY)
    assert await send() == 1
    assert await letters() == [(bob, "biluochun", NOW)]


async def test_what_the_member_has_or_waved_away_is_not_written_of() -> None:
    await open_house()
    await catalogue.upsert_products([NEW_TEA], now=NOW)
    alice, bob = await reader("alice", "TEA"), await reader("bob", "TEA")
    shop = Shop(members={"alice": alice}, rule=await publish_rule(RULE, now=NOW))
    await shop.record(order("o-1", "alice", line("biluochun", 100)))
    product = (await products_by_code(["biluochun"]))["biluochun"]
    unwanted = SetNotInterested(member_id=bob, product_id=product.id, not_interested=True)
    await recommendations.set_not_interested(unwanted, now=NOW)
    assert await send() == 0
    assert await letters() == []


async def test_inferred_themes_count_and_declared_ones_go_first() -> None:
    await open_house(NEW_TEA, NEW_BOOK)
    alice = await reader("alice")
    await infer(alice, BOOKS=400)
    bob = await reader("bob", "BOOKS")
    await infer(bob, TEA=900)
    assert await send() == 2
    assert sorted(await letters()) == sorted([(alice, "chajing", NOW), (bob, "chajing", NOW)])
    # The other one comes when the pause is over.
    assert await send(NOW + WEEK - timedelta(microseconds=1)) == 0
    assert await send(NOW + WEEK) == 1
    assert (await letters())[-1] == (bob, "biluochun", NOW + WEEK)


async def test_letters_of_two_who_became_one_count_together() -> None:
    await open_house(NEW_TEA, NEW_BOOK)
    alice, bob = await reader("alice", "TEA", "BOOKS"), await reader("bob", "TEA", "BOOKS")
    assert await send() == 2
    merging = partial(
        custody.merge, alice, bob, because=MergeBecause.STAFF, by="staff:x", now=NOW + DAY
    )
    merged = await transaction(merging)
    assert merged is not None
    for member in (alice, bob):
        await agree(member, MARKETING, now=NOW + 2 * DAY)
        await agree(member, PERSONALIZATION, now=NOW + 2 * DAY)
    assert await send(NOW + 2 * DAY) == 0
    assert await send(NOW + WEEK) == 1
    of_alice = {product for member, product, _ in await letters() if member == alice}
    assert of_alice == {"biluochun", "chajing"}
    assert len(await told(alice)) == 3, "both had the first, and the one who they are the other"


async def test_the_number_of_statements_does_not_grow_with_the_members() -> None:
    await open_house()
    numbers = []
    for size in (2, 40):
        for number in range(size):
            await reader(f"{size}-{number}", "TEA")
        with observed_statements() as seen:
            assert await send() == size
        numbers.append(len(seen))
    assert numbers[0] == numbers[1]


async def test_the_words_are_those_of_the_template() -> None:
    await open_house()
    alice = await reader("alice", "TEA")
    await send()
    [facts] = await told(alice)
    said = {
        language: await words(
            "PRODUCT_INTRODUCED", facts, language=language, wording=Wording.plain()
        )
        for language in ("zh", "en")
    }
    assert (said["zh"].title, said["zh"].body) == (
        "茶上新：碧螺春",
        "您可能喜欢的茶新品：碧螺春。欢迎来看看。",
    )
    assert (said["en"].title, said["en"].body) == (
        "New in Tea: 碧螺春",
        "碧螺春 is new, and you may like it. Have a look.",
    )
    assert said["en"].link is not None
    assert said["en"].link.startswith("/products/")


TEA_PRODUCT = Product(
    id=UUID(int=1), code="b", title="碧螺春", theme=TEA, image_url=None, price_fen=None
)


def shown(surface: Surface, *reasons: ShownReason) -> Recommendations:
    item = Recommended(
        rank=1, score=1.0, shelf=Shelf.DISCOVER, product=TEA_PRODUCT, reasons=reasons
    )
    return Recommendations(surface=surface, personalized=bool(reasons), items=[item])


async def test_a_letter_is_of_what_is_shown_for_its_theme() -> None:
    interest = ShownReason(kind=ReasonKind.INTEREST, contribution=0.5, theme=TEA)
    popularity = ShownReason(kind=ReasonKind.POPULARITY, contribution=0.1)
    found = await recommendations.letter(
        shown(Surface.LETTERS, popularity, interest), language="en"
    )
    assert found is not None
    assert found.title == "New in Tea: 碧螺春"
    for other in (
        shown(Surface.LETTERS, popularity),
        shown(Surface.LETTERS, replace(interest, theme=BOOKS)),
        shown(Surface.LETTERS),
        shown(Surface.HOME, interest),
    ):
        assert await recommendations.letter(other, language="en") is None


def new_product(number: int, theme: str, *, rank: int = 0) -> NewProduct:
    named = Theme(code=theme, name_zh=theme, name_en=theme)
    product = replace(TEA_PRODUCT, id=UUID(int=number), code=f"P{number}", theme=named)
    return NewProduct(
        product=product, theme=named, rank=rank, introduced_at=NOW - timedelta(hours=number)
    )


def test_the_list_of_the_member_goes_first() -> None:
    new = [new_product(1, "a"), new_product(2, "b"), new_product(3, "b")]
    taste = Taste(declared=frozenset({"a"}))
    chosen = [
        product_for(Addressee(taste=taste, inferred={"b": 1}, places=places), new)
        for places in ({}, {"P3": 0, "P2": 1}, {"P3": 4, "P2": 1}, {"P9": 0})
    ]
    assert [one and one.product.code for one in chosen] == ["P1", "P3", "P2", "P1"]


@given(st.data())
def test_what_is_chosen_always_fits(data: st.DataObject) -> None:
    themes, codes = st.sampled_from("abcd"), [f"P{number}" for number in range(6)]
    some = st.frozensets(st.sampled_from(codes))
    new = [
        new_product(number, data.draw(themes), rank=data.draw(st.integers(0, 2)))
        for number in range(6)
    ]
    addressee = Addressee(
        taste=Taste(
            bought=dict.fromkeys(data.draw(some), 1),
            redeemed=data.draw(some),
            declared=data.draw(st.frozensets(themes)),
            level_rank=data.draw(st.integers(0, 2)),
        ),
        inferred=dict.fromkeys(data.draw(st.frozensets(themes)), 500),
        barred=data.draw(some),
    )
    chosen = product_for(addressee, new)
    fit = {
        one.product.code
        for one in new
        if one.theme.code in addressee.taste.declared | addressee.inferred.keys()
        and one.rank <= addressee.taste.level_rank
        and one.product.code not in addressee.taste.bought
        and one.product.code not in addressee.taste.redeemed
        and one.product.code not in addressee.barred
    }
    assert (chosen is None) == (not fit)
    assert chosen is None or chosen.product.code in fit


@pytest.mark.parametrize("pause_days", [1, 3, 7])
async def test_however_often_it_is_asked_a_member_gets_one_letter_in_a_pause(
    pause_days: int,
) -> None:
    await check_pauses(timedelta(days=pause_days))


async def test_a_walk_that_forgets_the_pause_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def everybody(member_ids: Collection[UUID], *, since: datetime) -> list[UUID]:
        del since
        return sorted(member_ids)

    monkeypatch.setattr(walk, "_not_written_to", everybody)
    with pytest.raises(AssertionError):
        await check_pauses(WEEK)


async def check_pauses(pause: timedelta) -> None:
    """Walk each seven hours for twenty days, in which a product comes daily at first."""
    daily = [
        replace(NEW_TEA, code=f"tea-{number}", introduced_at=NOW + number * DAY)
        for number in range(12)
    ]
    await open_house(*daily)
    alice, bob = await reader("alice", "TEA"), await reader("bob", "TEA", agreeing=[])
    for hours in range(0, 20 * 24, 7):
        now = NOW + timedelta(hours=hours)
        if hours == 7 * 24:
            await agree(bob, MARKETING, now=now)
            await agree(bob, PERSONALIZATION, now=now)
        await send(now, pause=pause)
    kept = await letters()
    for member in (alice, bob):
        mine = [(product, at) for one, product, at in kept if one == member]
        assert len({product for product, _ in mine}) == len(mine) == len(await told(member)) >= 2
        assert min(after - before for (_, before), (_, after) in pairwise(mine)) >= pause
    assert len(kept) == len(await told(alice)) + len(await told(bob))
