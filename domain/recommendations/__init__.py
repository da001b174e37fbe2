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
from domain.recommendations.popular import KEPT, Recommendation, popular, refresh_popularity

__all__ = [
    "BEHAVIOR_TRACKING",
    "KEPT",
    "MEMBER_TABLES",
    "PERSONALIZATION",
    "BehaviorEvent",
    "Recommendation",
    "behavior_consumer",
    "popular",
    "refresh_popularity",
    "set_consent",
    "track_behavior",
]
