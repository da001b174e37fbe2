"""What may be won is told before anything is, and stays so."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain import games
from domain.access import KeyRing
from domain.errors import DisclosureFrozen
from domain.games import ChangeGameCampaign, GameCampaign, Prize, RewardItem
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import CLERK, NOW, Arcade, open_arcade, open_campaign, told

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

APPLIED = ("APPLIED", None, None)
CLOSED = ("REJECTED", None, "CAMPAIGN_CLOSED")


@pytest.fixture
async def arcade(ring: KeyRing, database: str) -> Arcade:
    return await open_arcade(ring, "alice")


async def freeze(campaign: GameCampaign, odds_ppm: int, *, now: datetime = NOW) -> GameCampaign:
    """The disclosure of one prize with these odds."""
    tea = Prize(code="tea", title_zh="茶", title_en="Tea", count=1, odds_ppm=odds_ppm)
    return await games.freeze_disclosure(campaign.id, [tea], by=CLERK, now=now)


async def move(campaign: GameCampaign, version: int, opens_at: datetime, *, now: datetime) -> None:
    """The campaign opens at another moment."""
    change = ChangeGameCampaign(
        campaign_id=campaign.id, version=version, changes={"opens_at": opens_at}
    )
    await games.change_game_campaign(change, by=CLERK, now=now)


def win(arcade: Arcade, campaign: GameCampaign, external_id: str, at: datetime) -> RewardItem:
    """A win of tea under the first disclosure."""
    return arcade.item(
        external_id,
        campaign=str(campaign.id),
        campaign_id=campaign.id,
        occurred_at=at,
        prize_code="tea",
        disclosure_version="1",
    )


async def test_nothing_was_won_before_it_was_told_what_may_be(arcade: Arcade) -> None:
    drawn = await open_campaign("arcade", "draw", draws_prizes=True)
    await freeze(drawn, 500_000)
    before = win(arcade, drawn, "a", NOW - timedelta(microseconds=1))
    assert told(await arcade.push("b1", before, win(arcade, drawn, "b", NOW))) == [CLOSED, APPLIED]
    assert await arcade.available("alice") == 10


async def test_what_was_won_under_one_disclosure_is_under_no_other(arcade: Arcade) -> None:
    opens_at, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    drawn = await open_campaign("arcade", "draw", draws_prizes=True, opens_at=later)
    await freeze(drawn, 500_000)
    # Until it opens, the opening moves and the disclosure is frozen anew.
    await move(drawn, 1, opens_at, now=NOW)
    assert told(await arcade.push("b1", win(arcade, drawn, "a", opens_at), now=later)) == [APPLIED]
    # From then on neither: not even together.
    for wanted in (later + timedelta(days=1), NOW):
        with pytest.raises(DisclosureFrozen) as refused:
            await move(drawn, 2, wanted, now=later)
        assert refused.value.field == ("opens_at",)
    with pytest.raises(DisclosureFrozen):
        await freeze(drawn, 1, now=later)
    [kept] = (await games.campaigns_by_ids([drawn.id])).values()
    assert (kept.opens_at, kept.version) == (opens_at, 2)
    assert kept.disclosure is not None
    assert [one.odds_ppm for one in kept.disclosure.prizes] == [500_000]
    # What is not moved may be named; and where nothing is drawn, an opening moves at any time.
    await move(drawn, 2, opens_at, now=later)
    await move(arcade.campaign, 1, later, now=NOW)
