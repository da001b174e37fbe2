"""Whether a member stands high enough for something, as statements of other contexts ask."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain.storage import fetch_all
from domain.tiers import level_allows
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.evaluated import granted, joined
from tests.domain.tiers.levels import three_levels

pytestmark = pytest.mark.usefixtures("database")


async def allowed(member_id: UUID) -> set[str | None]:
    """For which levels' things the member stands high enough."""
    allows = level_allows("$2::text", member="$1")
    return {
        code
        for code in (None, "base", "silver", "gold", "emperor")
        if (await fetch_all(f"SELECT {allows} AS allows", member_id, code))[0]["allows"]
    }


async def test_a_member_stands_high_enough_up_to_their_own_level() -> None:
    await three_levels()
    alice, bob = await joined("alice", "bob")
    await granted(bob, "silver", until=NOW + timedelta(days=30))
    assert await allowed(alice) == {None, "base"}
    assert await allowed(bob) == {None, "base", "silver"}


async def test_without_levels_only_what_is_for_everybody_is_allowed() -> None:
    assert await allowed(UUID(int=1)) == {None}
