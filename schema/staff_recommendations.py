"""What staff is told of recommendations: why a member sees a product, and the models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import orjson
import strawberry

from domain import recommendations
from domain.access import StaffRole
from domain.recommendations import HiddenBy, ListKind, Method, ModelStatus, ReasonKind, Shelf
from resolvers import recommendations as resolvers
from resolvers.records import MemberRecord
from schema.catalogue import Product, Theme
from schema.connections import First, checked_first
from schema.cost import STATEMENT_COST, Cost
from schema.fields import Info, argument, computed, enum_type, field, object_type, view
from schema.node import decode_uuid
from schema.policies import staff

SEES_WHY = staff(StaffRole.SUPPORT, StaffRole.MARKETING)
"""Who answers members who ask, and who chooses what is recommended."""

enum_type(HiddenBy, name="RecommendationHiddenBy")
enum_type(ListKind, name="RecommendationList")
enum_type(
    Method,
    name="RecommendationMethod",
    descriptions={
        "ITEM_ITEM": "Products that the same members have go together.",
        "EASE": "What members have is predicted by weights that are learnt; for 10,000 products.",
    },
)
enum_type(
    ModelStatus,
    name="RecommendationModelStatus",
    descriptions={
        "TRAINING": "It is being trained.",
        "ACTIVE": "It is the one that serves.",
        "KEPT": "It served before the active one.",
        "FAILED": "Its training did not come to its end.",
    },
)


@object_type(policy=SEES_WHY)
class StaffRecommendationReason:
    """Something without which the score would be lower, all else as it is."""

    kind: ReasonKind
    """What it refers to."""

    contribution: float
    """By how much the score would be lower without it, exactly."""

    product: Product | None
    """The product it refers to."""

    theme: Theme | None
    """The theme it refers to."""


@object_type(policy=SEES_WHY)
class StaffRecommendationPlace:
    """Where the product stands in one of the member's lists."""

    kind: ListKind
    """Which list."""

    rank: int
    """Its place there, from 1; what is hidden counts."""

    score: float
    """Its score there."""

    computed_at: datetime
    """As of when the list was computed."""

    reasons: list[StaffRecommendationReason] = field(SEES_WHY, cost=Cost(items=5))
    """Why it stands there, the weightiest reason first."""


@object_type(policy=SEES_WHY)
class StaffRecommendation:
    """Why a member sees a product, or does not."""

    product: Product
    """The product."""

    hidden_by: list[HiddenBy]
    """What keeps it from being shown now; empty where nothing does."""

    places: list[StaffRecommendationPlace] = field(SEES_WHY, cost=Cost(items=5))
    """Where it stands in the lists that the model made for the member."""

    shelf: Shelf | None
    """Of which shelf the score is: BUY_AGAIN of what the member bought, DISCOVER of all else."""

    score: float | None
    """Its score by what is known of the member now; null without a model that knows the product,
    and of a member who does not agree to personal recommendations."""

    reasons: list[StaffRecommendationReason] = field(SEES_WHY, cost=Cost(items=5))
    """Why it has this score, the weightiest reason first."""

    model_version: int | None
    """The model that serves; null before the first training."""

    as_of: datetime | None
    """The model knows nothing that happened later."""


@object_type(policy=SEES_WHY)
class RecommendationModel:
    """A version of the trained model."""

    version: int
    """Its number; later ones have greater numbers."""

    status: ModelStatus
    """What became of it."""

    method: Method
    """How it was trained."""

    as_of: datetime
    """It knows nothing that happened later."""

    started_at: datetime
    """When its training began."""

    finished_at: datetime | None
    """When its training ended; null while it lasts."""

    @computed(SEES_WHY)
    def settings(self) -> str:
        """The numbers that it was trained by, as a JSON text."""
        model: recommendations.RecommendationModel = view(self)
        return orjson.dumps(model.settings.as_facts()).decode()

    @computed(SEES_WHY)
    def figures(self) -> str:
        """What its training told of itself, as a JSON text: sizes, times and how good it is."""
        model: recommendations.RecommendationModel = view(self)
        return orjson.dumps(model.figures).decode()


@object_type(policy=SEES_WHY)
class ExplainedRecommendations:
    """What staff is told of what a member is recommended; a part of `StaffMember`."""

    @computed(SEES_WHY, cost=Cost(own=12 * STATEMENT_COST))
    async def recommendation(
        self, info: Info, product_id: Annotated[strawberry.ID, argument("Which product.")]
    ) -> StaffRecommendation | None:
        """Why the member sees a product, or does not; null where there is no such product."""
        record: MemberRecord = view(self)
        product = decode_uuid(product_id, "Product")
        found: StaffRecommendation = view(await resolvers.why(info.context, record.id, product))
        return found


@object_type(policy=SEES_WHY)
class RecommendationModels:
    """What staff is told of the models; a part of `Staff`."""

    @computed(SEES_WHY, cost=Cost(own=STATEMENT_COST, items="first"))
    async def recommendation_models(self, first: First = 10) -> list[RecommendationModel] | None:
        """The newest versions of the trained model, newest first."""
        models: list[RecommendationModel] = view(await resolvers.models(checked_first(first)))
        return models
