"""Members with tastes: what they buy and agree to, what a model learns, what they are shown."""

from __future__ import annotations

from typing import Any, Final

from domain import catalogue, recommendations
from domain.catalogue import CatalogueItem
from domain.recommendations import ScoringSettings
from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.orders import applied, line, order, record
from tests.graphql.points import token_of
from tests.graphql.programme import HOME, TEA
from tests.graphql.test_set_consent import say

PERSONALIZATION: Final = "personalization"

SETTINGS: Final = ScoringSettings(
    shrinkage=0.0,
    again_popularity=0.5,
    discover_popularity=0.05,
    theme_weight=1.0,
    fade=5.0,
    inferred_half=5.0,
    inferred_weight=0.5,
)
"""Numbers to reckon with by hand, whatever the programme's own become."""

POT: Final = CatalogueItem(code="pot", title="紫砂壶", theme=HOME, price_fen=39_900)
TIN: Final = CatalogueItem(code="tin", title="茶叶罐", theme=TEA, price_fen=5_900)

QUERY: Final = """
query($surface: RecommendationSurface!, $shelf: RecommendationShelf, $first: Int = 10) {
  me { recommendations(surface: $surface, shelf: $shelf, first: $first) {
    personalized
    letter { title body }
    items {
      rank score shelf
      product { id title imageUrl theme { code name } price { amount currency } }
      reasons { kind text contribution product { id title } theme { code name } }
    }
  } } }
"""
"""Every field that there is of them."""

SHELVES: Final = (None, "BUY_AGAIN", "DISCOVER", "POPULAR")
SURFACES: Final = ("HOME", "AFTER_PURCHASE", "REWARDS", "LETTERS")


async def buys(gateway: Gateway, member: Session, *baskets: str, **changes: Any) -> None:
    """The member buys: each basket is an order of products, by their codes."""
    orders = [
        order(
            f"{member.member}-{gateway.named(basket)}-{number}",
            member.member_id,
            *(line(code, 100) for code in basket.split()),
            **changes,
        )
        for number, basket in enumerate(baskets)
    ]
    batch = f"{member.member}: {baskets} {changes}"
    applied(await record(gateway, batch[:128], orders))


async def agreeing(gateway: Gateway, openid: str) -> Session:
    """A member who wants personal recommendations."""
    session = await gateway.sign_in(openid)
    await say(gateway, session, PERSONALIZATION, granted=True)
    return session


async def a_crowd(gateway: Gateway) -> None:
    """Those whom a model learns from: two have tea and a pot, one tea and a cup, one a cup."""
    now = gateway.clock.now()
    await catalogue.upsert_products([POT, TIN], now=now)
    for number, basket in enumerate(("tea pot", "tea pot", "tea cup", "cup")):
        await buys(gateway, await gateway.sign_in(f"o-crowd-{number}"), basket)


async def trained(gateway: Gateway, **settings: Any) -> int:
    """Train on all that happened until now; returns the version."""
    made = await recommendations.train(SETTINGS, clock=gateway.clock, **settings)
    return made.version


async def shown(
    gateway: Gateway,
    session: Session,
    surface: str = "HOME",
    *,
    shelf: str | None = None,
    first: int = 10,
    language: str = "zh",
) -> Any:
    """What a surface shows to the member: every field of it."""
    variables = {"surface": surface, "shelf": shelf, "first": first}
    response = await gateway.ask(
        QUERY, variables, token=await token_of(gateway, session), language=language
    )
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["me"]["recommendations"]


def titles(answer: Any) -> list[str]:
    """The products that are shown, in their order."""
    return [item["product"]["title"] for item in answer["items"]]


async def product_id(code: str) -> str:
    """The global id of a product."""
    return global_id("Product", (await catalogue.products_by_code([code]))[code].id)
