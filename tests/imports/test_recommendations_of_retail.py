"""The benchmark of recommendations in small: one buyer of eight of Online Retail."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recommendations.online_retail import evaluate_online_retail
from domain.recommendations import Method

EVERY = 8


async def test_a_part_of_real_purchases_is_recommended_well_and_nothing_leaks(
    postgres_url: str, real_data: Path, tmp_path: Path
) -> None:
    found = await evaluate_online_retail(postgres_url, real_data, tmp_path, every=EVERY)
    assert [one.method for one in found] == [Method.ITEM_ITEM, Method.EASE]
    for one in found:
        assert (one.leaked, one.compared > 1_000) == (0, True)
        assert one.quality.again.members > 200
        # Where so few buy, what they buy again is known as well; what is alike, less so.
        assert one.quality.again.recall_at_10 >= 0.30
        assert one.quality.discover.recall_at_10 >= 0.04
        assert one.quality.discover.recall_at_10 > one.quality.discover.popular
