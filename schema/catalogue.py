"""Products and themes."""

from __future__ import annotations

from domain import catalogue
from resolvers import catalogue as resolvers
from schema.fields import Info, computed, object_type, view
from schema.language import spoken
from schema.money import Money
from schema.node import Node, node_type
from schema.policies import PUBLIC
from schema.scalars import URL, Fen


@object_type(policy=PUBLIC)
class Theme:
    """What a group of products is about, and what a member may care for."""

    code: str
    """The merchant's own code, stable."""

    @computed(PUBLIC)
    def name(self, info: Info) -> str:
        """What people call it."""
        return spoken(self, "name", info)


@node_type(policy=PUBLIC, key="id", load=resolvers.product_node, reads=catalogue.Product)
class Product(Node):
    """Something that is sold."""

    title: str
    """What it is called."""

    image_url: URL | None
    """A picture of it."""

    theme: Theme | None
    """What it is about."""

    @computed(PUBLIC, versioned=True)
    async def price(self, info: Info) -> Money | None:
        """What it costs everyone; null while the catalogue has no price for it."""
        product: catalogue.Product = view(self)
        if product.price_fen is None:
            return None
        programme = await info.context.programme()
        return Money(amount=Fen(product.price_fen), currency=programme.currency)
