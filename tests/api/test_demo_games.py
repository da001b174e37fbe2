"""The demo's wheel has told its prizes before it opened, so that it takes what may be pushed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from api.demo.games import open_games
from domain import games
from domain.access import KeyRing
from domain.games import PushRewards, RewardItem, push_rewards
from domain.members import ById
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, people_of, told

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring


async def test_the_demo_takes_what_was_won_thirty_days_ago(ring: KeyRing) -> None:
    [alice] = (await people_of("alice")).values()
    opened = await open_games([alice], now=NOW)
    again = await open_games([alice], now=NOW + timedelta(days=1))
    assert (again.campaign_id, again.signing_secret) == (opened.campaign_id, opened.signing_secret)
    items = [_won(opened.campaign_id, alice, days) for days in (0, 30)]
    command = PushRewards(
        partner=await games.known_partner("demo-games"), batch_id="b1", items=items
    )
    batch = await push_rewards(command, keys=ring, now=NOW)
    assert told(batch) == [("APPLIED", None, None)] * 2


def _won(campaign_id: UUID, member_id: UUID, days_ago: int) -> RewardItem:
    return RewardItem(
        external_id=f"won-{days_ago}",
        member=ById(member_id),
        campaign=str(campaign_id),
        campaign_id=campaign_id,
        points=5,
        occurred_at=NOW - timedelta(days=days_ago),
        prize_code="points-5",
        disclosure_version="1",
    )
