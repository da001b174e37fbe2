"""What is shown to a member, and why."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from domain.recommendations import ReasonKind, Shelf, Surface
from resolvers import recommendations as resolvers
from schema.catalogue import Product, Theme
from schema.cost import CHANGES, READS, Cost
from schema.fields import (
    Info,
    argument,
    computed,
    enum_type,
    field,
    input_type,
    object_type,
    view,
)
from schema.mutations import Payload, mutation
from schema.node import decode_uuid
from schema.policies import OWNER
from schema.recommendation_texts import reason_text

enum_type(Surface, name="RecommendationSurface")
enum_type(Shelf, name="RecommendationShelf")
enum_type(
    ReasonKind,
    descriptions={
        "BOUGHT": "A product that the member bought, or redeemed points for.",
        "INTEREST": "A theme that the member cares for.",
        "POPULARITY": "How many buy it.",
    },
)

OnSurface: TypeAlias = Annotated[Surface, argument("Where they will be shown.")]
OnShelf: TypeAlias = Annotated[
    Shelf | None, argument("Only suggestions of this kind; all that the surface has without it.")
]


@object_type(policy=OWNER)
class RecommendationReason:
    """Why something is shown: that without which its score would be lower.

    Each contribution is reckoned by itself, with all else as it is; they need not add up to the
    score.
    """

    kind: ReasonKind
    """What it refers to."""

    @computed(OWNER)
    def text(self, info: Info) -> str:
        """A sentence for the member."""
        return reason_text(view(self), info.context.language)

    contribution: float
    """By how much the score would be lower without it, exactly."""

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
    """What it is ranked by; to be compared within one shelf of one answer only."""

    shelf: Shelf
    """Which kind of suggestion it is."""

    product: Product
    """The product."""

    reasons: list[RecommendationReason] = field(OWNER, cost=Cost(items=5))
    """Why it is shown to this member, the weightiest reason first; empty where nothing about the
    member was considered."""


@object_type(policy=OWNER)
class RecommendationLetter:
    """A few words about a new product."""

    title: str
    """What stands above it."""

    body: str
    """What it says."""


@object_type(policy=OWNER)
class Recommendations:
    """What is shown to a member."""

    personalized: bool
    """Whether anything about the member chose or ordered the products. False for who did not agree
    to `personalization`, or no longer does: they are shown what everybody is."""

    items: list[RecommendedItem]
    """The products, best first."""

    @computed(OWNER, cost=READS, versioned=True)
    async def letter(self, info: Info) -> RecommendationLetter | None:
        """Words about the first new product that is shown for a theme of the member's, as a letter
        about it says them; null where there is none, and on other surfaces than LETTERS."""
        letter: RecommendationLetter | None = view(await resolvers.letter(info.context, view(self)))
        return letter


@input_type()
class SetNotInterestedInput:
    """Whether the member wants to be shown a product."""

    product_id: strawberry.ID
    """The product."""

    not_interested: bool
    """True to hide it from all recommendations, false to let it be shown again."""


@object_type(policy=OWNER)
class SetNotInterestedPayload(Payload):
    """What saying it led to."""

    not_interested: bool | None = None
    """What holds now; null when it was refused."""


@mutation(OWNER, cost=CHANGES)
async def set_not_interested(info: Info, input: SetNotInterestedInput) -> SetNotInterestedPayload:
    """Say that a product is not to be shown again, or may be. It takes effect at once."""
    holds = await resolvers.set_not_interested(
        info.context,
        product_id=decode_uuid(input.product_id, "Product"),
        not_interested=input.not_interested,
    )
    return SetNotInterestedPayload(not_interested=holds)
