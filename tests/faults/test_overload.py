"""Row 15: three times what the gateway can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.loading import load
from tests.faults.serving import Serving
from tests.faults.town import Town


@pytest.mark.faults
async def test_try(town: Town, tmp_path: Path) -> None:
    with Serving(town, tmp_path) as serving:
        home = town.home_requests()
        for n in (1, 4, 16, 32):
            peak = await load(tmp_path, port=serving.port, requests=home, seconds=3, connections=n)
            print(n, len(peak) / 3, peak.outcomes, peak.quantile(0.5), peak.quantile(0.99))
        rate = 3 * len(peak) / 3
        over = await load(tmp_path, port=serving.port, requests=home, seconds=8, rate=rate)
        print("over", rate, over.outcomes, len(over.ok) / 8)
        o = over.ok
        r = over.where(lambda s: s.outcome != "ok")
        print(
            "ok",
            o.quantile(0.5),
            o.quantile(0.99),
            "refused",
            r.quantile(0.5),
            r.quantile(0.9),
            r.quantile(0.99),
            r.quantile(1),
        )
