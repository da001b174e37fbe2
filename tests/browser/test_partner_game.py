"""The game of the example, from the member's app to the wheel and back, in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.chromium import Browser, Page
from tests.repository.tree import ROOT
from tests.run.running import MakeRun, free_ports

pytestmark = pytest.mark.faults

SCREENS: tuple[dict[str, Any], ...] = (
    {"width": 390, "height": 844, "mobile": True},
    {"width": 1280, "height": 900},
)
SPINS_MAX = 12
"""A spin that wins nothing comes one time in five: twelve in a row never do."""

POINTS = "Number(document.querySelector('#points').textContent)"
WON = "[...document.querySelectorAll('#wins li')].map((one) => one.textContent)"


@dataclass(slots=True)
class Played:
    """A running demo with the game beside it."""

    demo: MakeRun
    url: str


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    demo = MakeRun(tmp_path)
    [port, _] = free_ports()
    game = None
    try:
        demo.until_ready()
        with (tmp_path / "game").open("wb") as told:
            game = subprocess.Popen(
                [
                    *(sys.executable, ROOT / "examples" / "partner-game" / "demo.py"),
                    *("--demo", demo.demo_file, "--folder", tmp_path / "game-data"),
                    *("--port", str(port)),
                ],
                env={"PATH": os.environ.get("PATH", os.defpath)},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"
        while True:
            demo.assert_under_way()
            assert game.poll() is None, (tmp_path / "game").read_text()
            try:
                httpx.get(f"{url}/app", trust_env=False)
                break
            except httpx.TransportError:
                continue
        yield Played(demo, url)
    finally:
        if game is not None:
            game.kill()
            game.wait()
        demo.close()


async def fits(page: Page, screen: dict[str, Any]) -> None:
    """Whether the page fits a screen, with what can be pressed large enough for a thumb."""
    await page.look_like(**screen)
    assert await page.value("document.documentElement.scrollWidth") == screen["width"]
    small = await page.value(
        "[...document.querySelectorAll('button')]"
        ".filter((one) => one.getBoundingClientRect().height < 44).length"
    )
    assert small == 0


async def test_what_is_won_arrives_in_the_members_app(browser: Browser, played: Played) -> None:
    app, wheel = await browser.page(), await browser.page()
    await app.open(f"{played.url}/app")
    await app.until("document.querySelectorAll('#entries li').length === 5")
    before = await app.value(POINTS)
    for screen in reversed(SCREENS):
        await fits(app, screen)

    await app.value("window.open = (url) => { window.opened = url; }; true")
    await app.value("document.querySelector('#play').click()")
    await app.until("window.opened !== undefined")
    link = await app.value("window.opened")
    assert re.fullmatch(r"/#bind=[\w%-]+", link), "behind the #, where no log sees it"

    await wheel.open(f"{played.url}{link}")
    await wheel.until("!document.querySelector('#spin').disabled")
    assert await wheel.value("location.href") == f"{played.url}/", "the token does not stay"
    for screen in reversed(SCREENS):
        await fits(wheel, screen)

    for _ in range(SPINS_MAX):
        await wheel.value("document.querySelector('#spin').click()")
        await wheel.until("!document.querySelector('#spin').disabled")
        if await wheel.value(f"{WON}.length") > 0:
            break
    await wheel.until(f"{WON}.length > 0 && {WON}.every((one) => one.includes('积分已到账'))")
    won = [int(re.match(r"\d+", one)[0]) for one in await wheel.value(WON)]  # type: ignore[index]  # a title begins with its points
    assert len(won) == 1

    await app.until(f"{POINTS} === {before + won[0]}")
    first = await app.value("document.querySelector('#entries li').textContent")
    assert first.endswith(f"+{won[0]}")

    again = await browser.page()
    await again.open(f"{played.url}{link}")
    await again.until("document.querySelector('#said').textContent !== ''")
    told = await again.value("document.querySelector('#said').textContent")
    assert "失效" in told, "a token is good once"
    for page in (app, wheel):
        assert page.complaints == []
        assert page.hosts() == {played.url.removeprefix("http://")}
