"""What is recommended to the members of the matrix: for all reasons that there are, in a letter."""

from __future__ import annotations

from datetime import timedelta

from domain import catalogue, recommendations
from domain.catalogue import CatalogueItem
from domain.recommendations import ScoringSettings
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.orders import line, order, record
from tests.graphql.programme import TEA


async def learn(gateway: Gateway) -> None:
    """Something new of a theme that members declared, bought by somebody who has what they have."""
    lately = NOW - timedelta(days=1)
    new = CatalogueItem(
        code="matcha",
        title="抹茶",
        theme=TEA,
        image_url="https://img.jifen.example/matcha.png",
        price_fen=100,
        introduced_at=lately,
    )
    await catalogue.upsert_products([new], now=NOW)
    buyer = await gateway.sign_in("somebody-else")
    bought = order("others", buyer.member_id, line("tea", 100), line("matcha", 100))
    await record(gateway, "what others bought", [bought])
    await recommendations.refresh_popularity(now=NOW)
    await recommendations.train(ScoringSettings(), clock=gateway.clock)
