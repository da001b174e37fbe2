"""The report on models as a browser shows it: charts on phone and desktop, light and dark."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import recommendations
from domain.recommendations import ScoringSettings
from tests.browser.chromium import Page
from tests.browser.conftest import Site
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.tasting import agreeing, buys

pytestmark = pytest.mark.faults

PHONE: dict[str, Any] = {"width": 390, "height": 844, "mobile": True}
DESKTOP: dict[str, Any] = {"width": 1280, "height": 900}

CHARTS = "[...document.querySelectorAll('figure svg')]"
LINE = "document.querySelector('figure svg .again-stroke')"


async def two_judged_versions(gateway: Gateway) -> None:
    """Somebody bought before the last days and in them: there is something to judge by."""
    someone: Session = await agreeing(gateway, "o-reader")
    await buys(gateway, someone, "tea")
    gateway.clock.moment = NOW + timedelta(days=2)
    await buys(gateway, someone, "tea cup", placedAt="2026-03-03T11:00:00Z")
    for _ in range(2):
        await recommendations.train(
            ScoringSettings(), clock=gateway.clock, held_out=timedelta(days=1)
        )


async def test_charts_are_shown_on_phone_and_desktop(page: Page, site: Site) -> None:
    await two_judged_versions(site.gateway)
    token = await site.gateway.staff()
    for screen, language in ((PHONE, "zh-CN"), (DESKTOP, "en"), (DESKTOP | {"dark": True}, "en")):
        headers = {"authorization": f"Bearer {token}", "accept-language": language}
        await page.send("Network.setExtraHTTPHeaders", headers=headers)
        await page.look_like(**screen)
        await page.open(f"{site.url}/recommendations/report")
        assert await page.value("document.documentElement.lang") == language
        assert await page.value("document.documentElement.scrollWidth") == screen["width"]
        sizes = await page.value(f"{CHARTS}.map((chart) => chart.getBoundingClientRect().width)")
        assert len(sizes) == 5, "two of each version, and one of both"
        assert all(250 < size < screen["width"] for size in sizes)
        # Charts have the colours of the page.
        drawn = await page.value(f"getComputedStyle({LINE}).stroke")
        assert drawn == ("rgb(79, 199, 159)" if screen.get("dark") else "rgb(11, 122, 91)")
    assert page.hosts() == {site.host}
    assert page.complaints == []
