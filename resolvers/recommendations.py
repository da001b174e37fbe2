"""What is recommended to members."""

from __future__ import annotations

from collections.abc import Sequence

from domain import recommendations


async def popular(*, first: int) -> Sequence[recommendations.Recommendation]:
    """The most bought products, the same for everyone."""
    return await recommendations.popular(first=first)
