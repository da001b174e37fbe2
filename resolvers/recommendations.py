"""What is recommended to members."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import recommendations
from domain.notifications import Worded
from domain.recommendations import (
    RecommendationModel,
    Recommendations,
    SetNotInterested,
    Shelf,
    Surface,
    Why,
)
from resolvers.context import RequestContext


async def recommended(
    context: RequestContext,
    member_id: UUID,
    *,
    surface: Surface,
    shelf: Shelf | None,
    first: int,
) -> Recommendations:
    """What a surface shows to the member."""
    return await recommendations.recommended(
        member_id, surface=surface, shelf=shelf, first=first, now=context.now
    )


async def letter(context: RequestContext, shown: Recommendations) -> Worded | None:
    """What a letter about the first of these products says, where it is one for letters."""
    return await recommendations.letter(shown, language=context.language)


async def set_not_interested(
    context: RequestContext, *, product_id: UUID, not_interested: bool
) -> bool:
    """Hide a product from the member who asks, or let it be shown again."""
    command = SetNotInterested(
        member_id=context.require_member(), product_id=product_id, not_interested=not_interested
    )
    return await recommendations.set_not_interested(command, now=context.now)


async def why(context: RequestContext, member_id: UUID, product_id: UUID) -> Why | None:
    """Why a member sees a product, or does not."""
    return await recommendations.why(member_id, product_id, now=context.now)


async def models(first: int) -> Sequence[RecommendationModel]:
    """The newest versions of the trained model, newest first."""
    return await recommendations.recommendation_models(first=first)
