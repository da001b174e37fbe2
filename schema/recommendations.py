"""What is shown to a member, and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from domain import recommendations
from schema.catalogue import Product, Theme
from schema.cost import Cost
from schema.fields import enum_type, field, object_type, view
from schema.policies import OWNER


class RecommendationSurface(Enum):
    """Where recommendations are shown."""

    HOME = "HOME"
    """The home page."""
    AFTER_PURCHASE = "AFTER_PURCHASE"
    """After a purchase."""
    REWARDS = "REWARDS"
    """Beside the rewards."""
    LETTERS = "LETTERS"
    """In letters about new products."""


enum_type(RecommendationSurface)


class RecommendationShelf(Enum):
    """Which kind of suggestion it is."""

    BUY_AGAIN = "BUY_AGAIN"
    """Something the member bought before."""
    DISCOVER = "DISCOVER"
    """Something new to the member."""
    POPULAR = "POPULAR"
    """Something that many buy; the same for everyone."""


enum_type(RecommendationShelf)


class ReasonKind(Enum):
    """What a reason refers to."""

    BOUGHT = "BOUGHT"
    """A product that the member bought."""
    INTEREST = "INTEREST"
    """A theme that the member cares for."""
    POPULARITY = "POPULARITY"
    """How many buy it."""


enum_type(ReasonKind)


@object_type(policy=OWNER)
class RecommendationReason:
    """Why something is shown. The contributions of all reasons add up to the score."""

    kind: ReasonKind
    """What it refers to."""

    text: str
    """A sentence for the member."""

    contribution: float
    """How much of the score it makes."""

    product: Product | None
    """The product it refers to."""

    theme: Theme | None
    """The theme it refers to."""


@object_type(policy=OWNER)
class RecommendedItem:
    """A product to show."""

    rank: int
    """Its place, from 1."""

    score: float
    """What it is ranked by; to be compared within one answer only."""

    shelf: RecommendationShelf
    """Which kind of suggestion it is."""

    product: Product
    """The product."""

    reasons: list[RecommendationReason] = field(OWNER, cost=Cost(items=5))
    """Why it is shown to this member; empty where nothing about the member was considered."""


@object_type(policy=OWNER)
class Recommendations:
    """What is shown to a member."""

    personalized: bool
    """Whether anything about the member was considered."""

    items: list[RecommendedItem]
    """The products, best first."""


def popular_shelf(items: Sequence[recommendations.Recommendation]) -> Recommendations:
    """The most bought products, the same for everyone."""
    return Recommendations(
        personalized=False,
        items=[
            RecommendedItem(
                rank=item.rank,
                score=item.score,
                shelf=RecommendationShelf.POPULAR,
                product=view(item.product),
                reasons=[],
            )
            for item in items
        ],
    )
