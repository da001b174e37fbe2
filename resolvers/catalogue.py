"""Products."""

from __future__ import annotations

from uuid import UUID

from domain import catalogue
from resolvers.context import RequestContext


async def product_node(context: RequestContext, product_id: UUID) -> catalogue.Product | None:
    """The product with this id."""
    return (await catalogue.products_by_id([product_id])).get(product_id)
