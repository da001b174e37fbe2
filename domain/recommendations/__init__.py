"""What is shown to members, and what is watched to choose it, of those who agreed."""

from domain.recommendations.behavior import (
    BEHAVIOR_TRACKING,
    BehaviorEvent,
    behavior_consumer,
    set_consent,
    track_behavior,
)
from domain.recommendations.consenting import MARKETING, PERSONALIZATION
from domain.recommendations.due import mark_due, shelves_consumer
from domain.recommendations.letters import letter, send_letters
from domain.recommendations.member_tables import MEMBER_TABLES
from domain.recommendations.not_interested import (
    NOT_INTERESTED_MAX,
    SetNotInterested,
    set_not_interested,
)
from domain.recommendations.offering import INTRODUCED_LATELY
from domain.recommendations.popular import refresh_popularity
from domain.recommendations.quality import Quality
from domain.recommendations.refreshing import ShelfRefresher
from domain.recommendations.scoring import ListKind, Method, ReasonKind, ScoringSettings
from domain.recommendations.serving import (
    CHANGE_COLUMNS,
    Recommendations,
    Recommended,
    ShownReason,
    changes,
    recommended,
)
from domain.recommendations.surfaces import Shelf, Surface
from domain.recommendations.training import Trained, train
from domain.recommendations.versions import (
    ModelStatus,
    RecommendationModel,
    TrainingLost,
    TrainingUnderWay,
    active_model,
    recommendation_models,
)
from domain.recommendations.why import HiddenBy, Place, Why, why

__all__ = [
    "BEHAVIOR_TRACKING",
    "CHANGE_COLUMNS",
    "INTRODUCED_LATELY",
    "MARKETING",
    "MEMBER_TABLES",
    "NOT_INTERESTED_MAX",
    "PERSONALIZATION",
    "BehaviorEvent",
    "HiddenBy",
    "ListKind",
    "Method",
    "ModelStatus",
    "Place",
    "Quality",
    "ReasonKind",
    "RecommendationModel",
    "Recommendations",
    "Recommended",
    "ScoringSettings",
    "SetNotInterested",
    "Shelf",
    "ShelfRefresher",
    "ShownReason",
    "Surface",
    "Trained",
    "TrainingLost",
    "TrainingUnderWay",
    "Why",
    "active_model",
    "behavior_consumer",
    "changes",
    "letter",
    "mark_due",
    "recommendation_models",
    "recommended",
    "refresh_popularity",
    "send_letters",
    "set_consent",
    "set_not_interested",
    "shelves_consumer",
    "track_behavior",
    "train",
    "why",
]
