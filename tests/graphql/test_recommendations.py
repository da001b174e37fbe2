"""What members are shown: lists that were trained, in one statement, with exact reasons."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from domain import catalogue, recommendations, storage
from domain.storage import observed_statements
from tests.graphql import conftest
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.programme import PRODUCTS
from tests.graphql.tasting import (
    SHELVES,
    SURFACES,
    a_crowd,
    agreeing,
    buys,
    product_id,
    shown,
    titles,
    trained,
)
from tests.graphql.test_set_consent import say

gateway = conftest.own_gateway

TEA, CUP, BAG, DIAMOND = (one.title for one in PRODUCTS)
POT, TIN = "紫砂壶", "茶叶罐"

# Of alice and the crowd of four, tea has four, pot and cup two; of both tea and a pot two, of both
# tea and a cup one; kept to eight places. One product in a history leaves five sixths of what
# fades.
POT_LIKE_TEA, CUP_LIKE_TEA = round(2 / sqrt(4 * 2), 8), round(1 / sqrt(4 * 2), 8)
FADED, GAMMA, THETA, BETA = 5 / 6, 0.05, 0.025, 0.5
POPULAR = {TEA: 5 / 5, POT: 3 / 5, CUP: 3 / 5, TIN: 1 / 5, BAG: 1 / 5, DIAMOND: 1 / 5}


def near(number: float) -> Any:
    """The number to ten places, as it is kept."""
    return pytest.approx(number, abs=1e-9, rel=0)


def reason(kind: str, text: str, contribution: float) -> dict[str, Any]:
    return {"kind": kind, "text": text, "contribution": near(contribution)}


MANY = "很多会员都在购买"


def told(item: Any) -> list[dict[str, Any]]:
    """The reasons of an item, without what they name."""
    names = ("kind", "text", "contribution")
    return [{name: one[name] for name in names} for one in item["reasons"]]


@pytest.fixture
async def alice(gateway: Gateway) -> Session:
    """Somebody who agreed, and bought tea twice."""
    await a_crowd(gateway)
    session = await agreeing(gateway, "o-alice")
    await buys(gateway, session, "tea", "tea")
    return session


async def test_home_shows_both_shelves_in_turn_with_exact_reasons(
    gateway: Gateway, alice: Session
) -> None:
    await trained(gateway)
    page = await shown(gateway, alice)
    assert page["personalized"] is True
    assert titles(page) == [POT, TEA, CUP, TIN, BAG, DIAMOND]
    assert [item["rank"] for item in page["items"]] == [1, 2, 3, 4, 5, 6]
    assert [item["shelf"] for item in page["items"]] == ["DISCOVER", "BUY_AGAIN", *["DISCOVER"] * 4]
    pot, tea, cup, tin, bag, _ = page["items"]

    bought = f"因为您购买或兑换过{TEA}"
    popular = FADED * GAMMA * POPULAR[POT]
    assert pot["score"] == near(POT_LIKE_TEA + popular)
    # Without tea there is no history, and popularity counts in full.
    assert told(pot) == [
        reason("BOUGHT", bought, pot["score"] - GAMMA * POPULAR[POT]),
        reason("POPULARITY", MANY, popular),
    ]
    assert pot["reasons"][0]["product"] == {"id": await product_id("tea"), "title": TEA}
    assert cup["score"] == near(CUP_LIKE_TEA + popular)

    assert tea["score"] == near(2 + BETA * POPULAR[TEA])
    assert told(tea) == [reason("BOUGHT", bought, 2), reason("POPULARITY", MANY, BETA)]

    # One of one's theme makes a twelfth of what declaring it would; of five who have tea or not.
    theme = FADED * (1 / 12) * POPULAR[TIN]
    assert tin["score"] == near(theme + FADED * GAMMA * POPULAR[TIN])
    assert reason("INTEREST", "因为您的选择、浏览或消费与茶饮有关", theme) in told(tin)
    assert [one["theme"] for one in tin["reasons"] if one["kind"] == "INTEREST"] == [
        {"code": "tea", "name": "茶饮"}
    ]
    assert told(bag) == [reason("POPULARITY", MANY, FADED * GAMMA * POPULAR[BAG])]


async def test_reasons_speak_the_language_of_the_request(gateway: Gateway, alice: Session) -> None:
    await trained(gateway)
    page = await shown(gateway, alice, language="en", first=4)
    pot, _, _, tin = page["items"]
    assert [one["text"] for one in pot["reasons"]] == [
        f"Because you bought or redeemed {TEA}",
        "Many members buy it",
    ]
    assert "Because what you chose, viewed or own is about Tea" in [
        one["text"] for one in tin["reasons"]
    ]


async def test_a_shelf_is_shown_alone_and_every_number_of_products(
    gateway: Gateway, alice: Session
) -> None:
    await trained(gateway)
    await recommendations.refresh_popularity(now=gateway.clock.now())
    shelves = {
        None: [POT, TEA, CUP, TIN, BAG, DIAMOND],
        "BUY_AGAIN": [TEA],
        "DISCOVER": [POT, CUP, TIN, BAG, DIAMOND],
    }
    for shelf, expected in shelves.items():
        for first in (1, 2, 3, 40):
            page = await shown(gateway, alice, shelf=shelf, first=first)
            assert titles(page) == expected[:first], (shelf, first)
            assert page["personalized"] is True
    popular = await shown(gateway, alice, shelf="POPULAR")
    assert titles(popular) == [TEA, CUP, POT]
    assert {item["shelf"] for item in popular["items"]} == {"POPULAR"}


async def test_after_a_purchase_the_newest_order_speaks(gateway: Gateway, alice: Session) -> None:
    """Two more have a bag and a tin; alice's last order is of a bag."""
    for number in range(2):
        await buys(gateway, await gateway.sign_in(f"o-tins-{number}"), "bag tin")
    await buys(gateway, alice, "bag", placedAt="2026-03-01T11:30:00Z")
    await trained(gateway)

    def naming(page: Any, title: str) -> list[str]:
        [item] = [one for one in page["items"] if one["product"]["title"] == title]
        return [one["product"]["title"] for one in item["reasons"] if one["kind"] == "BOUGHT"]

    after = await shown(gateway, alice, "AFTER_PURCHASE")
    assert titles(after)[0] == TIN
    assert {item["shelf"] for item in after["items"]} == {"DISCOVER"}
    assert naming(after, TIN)[0] == BAG
    discover = await shown(gateway, alice, shelf="DISCOVER")
    assert titles(discover)[:2] == [TIN, POT]
    assert naming(discover, POT)[0] == TEA
    pots = [
        next(one["score"] for one in page["items"] if one["product"]["title"] == POT)
        for page in (discover, after)
    ]
    assert pots[0] - pots[1] == near(POT_LIKE_TEA), "what was bought before does not speak here"


async def test_ten_recommendations_cost_one_statement(gateway: Gateway, alice: Session) -> None:
    now = gateway.clock.now()

    async def statements() -> list[int]:
        counts = []
        for surface in recommendations.Surface:
            with observed_statements() as seen:
                await recommendations.recommended(alice.member, surface=surface, first=10, now=now)
            counts.append(len(seen))
        return counts

    assert await statements() == [1] * 4, "without a model"
    await trained(gateway)
    assert await statements() == [1] * 4, "with lists"
    await say(gateway, alice, "personalization", granted=False)
    assert await statements() == [1] * 4, "switched off"


async def test_looking_changes_nothing(gateway: Gateway, alice: Session) -> None:
    await trained(gateway)
    before = await everything_kept()
    for surface in SURFACES:
        for shelf in SHELVES:
            await shown(gateway, alice, surface, shelf=shelf)
    assert await everything_kept() == before


async def test_what_was_bought_since_is_no_longer_discovered(
    gateway: Gateway, alice: Session
) -> None:
    """Nobody has computed the lists anew yet."""
    await trained(gateway)
    assert titles(await shown(gateway, alice, first=3)) == [POT, TEA, CUP]
    gateway.clock.advance(seconds=1)
    await buys(gateway, alice, "pot", placedAt=gateway.clock.now().isoformat())
    assert titles(await shown(gateway, alice, first=3)) == [CUP, TEA, TIN]
    assert titles(await shown(gateway, alice, shelf="BUY_AGAIN")) == [TEA]


async def test_members_of_whom_nothing_was_computed_see_their_themes_at_once(
    gateway: Gateway, alice: Session
) -> None:
    """They agreed after the training: of what they declare most comes first, and is said so."""
    await trained(gateway)
    await buys(gateway, await gateway.sign_in("o-dora"), "cup pot")
    await recommendations.refresh_popularity(now=gateway.clock.now())
    bob = await agreeing(gateway, "o-bob")
    plain = await shown(gateway, bob)
    assert plain["personalized"] is False
    assert titles(plain) == [TEA, CUP, POT]
    assert [item["reasons"] for item in plain["items"]] == [[], [], []]

    await gateway.send("SetInterests", bob.access_token, input={"themes": ["home"]})
    page = await shown(gateway, bob)
    assert page["personalized"] is True
    assert titles(page) == [CUP, POT, TEA]
    assert {item["shelf"] for item in page["items"]} == {"POPULAR"}
    # Five lines are of tea, three of a cup, and three of a pot: both are the best of their theme.
    cup, pot, tea = page["items"]
    for item in (cup, pot):
        assert item["score"] == near(GAMMA * 3 / 5 + THETA)
        assert told(item) == [
            reason("POPULARITY", MANY, GAMMA * 3 / 5),
            reason("INTEREST", "因为您的选择、浏览或消费与家居有关", THETA),
        ]
    assert tea["score"] == near(GAMMA)
    assert told(tea) == [reason("POPULARITY", MANY, GAMMA)]
    # Everybody else still sees what everybody sees.
    assert await shown(gateway, await gateway.sign_in("o-carol")) == plain


async def test_what_is_not_sold_is_shown_to_nobody(gateway: Gateway, alice: Session) -> None:
    await trained(gateway)
    await recommendations.refresh_popularity(now=gateway.clock.now())
    carol = await gateway.sign_in("o-carol")
    await storage.execute("UPDATE product SET active = FALSE WHERE code IN ('pot', 'cup')")
    assert titles(await shown(gateway, alice)) == [TIN, TEA, BAG, DIAMOND]
    assert titles(await shown(gateway, carol)) == [TEA]


async def test_a_product_that_a_reason_names_is_told_as_it_is_called_now(
    gateway: Gateway, alice: Session
) -> None:
    await trained(gateway)
    renamed = catalogue.CatalogueItem(code="tea", title="{name} %s {0}", theme=None)
    await catalogue.upsert_products([renamed], now=gateway.clock.now())
    pot = (await shown(gateway, alice, first=1))["items"][0]
    assert pot["reasons"][0]["text"] == "因为您购买或兑换过{name} %s {0}"
    assert pot["reasons"][0]["product"]["title"] == "{name} %s {0}"
