"""What is shown to members, and what is watched to choose it, of those who agreed."""

from domain.recommendations.behavior import (
    BEHAVIOR_TRACKING,
    BehaviorEvent,
    behavior_consumer,
    set_consent,
    track_behavior,
)
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.member_tables import MEMBER_TABLES
from domain.recommendations.offering import INTRODUCED_LATELY
from domain.recommendations.popular import KEPT, Recommendation, popular, refresh_popularity
from domain.recommendations.scoring import Method, ScoringSettings
from domain.recommendations.training import Trained, train
from domain.recommendations.versions import (
    ModelStatus,
    RecommendationModel,
    TrainingLost,
    TrainingUnderWay,
    active_model,
    recommendation_models,
)

__all__ = [
    "BEHAVIOR_TRACKING",
    "INTRODUCED_LATELY",
    "KEPT",
    "MEMBER_TABLES",
    "PERSONALIZATION",
    "BehaviorEvent",
    "Method",
    "ModelStatus",
    "Recommendation",
    "RecommendationModel",
    "ScoringSettings",
    "Trained",
    "TrainingLost",
    "TrainingUnderWay",
    "active_model",
    "behavior_consumer",
    "popular",
    "recommendation_models",
    "refresh_popularity",
    "set_consent",
    "track_behavior",
    "train",
]
