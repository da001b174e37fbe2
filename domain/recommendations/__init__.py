"""What is shown to members, and what is watched to choose it, of those who agreed."""

from domain.recommendations.member_tables import MEMBER_TABLES
from domain.recommendations.popular import KEPT, Recommendation, popular, refresh_popularity

__all__ = ["KEPT", "MEMBER_TABLES", "Recommendation", "popular", "refresh_popularity"]
