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
SAID = "document.querySelector('#said').textContent"
CAN_SPIN = "!document.querySelector('#spin').disabled"
LINK = (
    "fetch('/app/play', { method: 'POST' }).then((answer) => answer.json())"
    ".then((told) => told.createGameBinding.binding.bindToken)"
)
ODDS = (
    "[...document.querySelectorAll('#odds tr')]"
    ".map((row) => [...row.cells].map((cell) => cell.textContent))"
)
DISCLOSED = [
    ["5 积分", "1,000,000", "50%"],
    ["20 积分", "500,000", "25%"],
    ["50 积分", "100,000", "4%"],
    ["200 积分", "10,000", "1%"],
    ["谢谢参与", "—", "20%"],
]
A_MOMENT = r"\d{1,2}/\d{1,2} \d\d:\d\d"


@dataclass(slots=True)
class Played:
    """A running demo with the game beside it."""

    demo: MakeRun
    url: str
    log: Path


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
        yield Played(demo, url, tmp_path / "game")
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
        "[...document.querySelectorAll('button, a')]"
        ".filter((one) => !one.hidden && one.getBoundingClientRect().height < 44).length"
    )
    assert small == 0


async def win(wheel: Page) -> int:
    """Turn until something is won; returns its points, once they have arrived."""
    for _ in range(SPINS_MAX):
        await wheel.value("document.querySelector('#spin').click()")
        await wheel.until(CAN_SPIN)
        if await wheel.value(f"{WON}.length") > 0:
            break
    await wheel.until(f"{WON}.length > 0 && {WON}.every((one) => one.includes('积分已到账'))")
    [won] = await wheel.value(WON)
    found = re.fullmatch(rf"(\d+) 积分{A_MOMENT}积分已到账", won)
    assert found is not None, won
    return int(found[1])


async def test_what_is_won_arrives_in_the_members_app(browser: Browser, played: Played) -> None:
    app, wheel = await browser.page(), await browser.page()
    await app.open(f"{played.url}/app")
    await app.until("document.querySelectorAll('#entries li').length === 8")
    before = await app.value(POINTS)
    for screen in reversed(SCREENS):
        await fits(app, screen)

    link = f"/#bind={await app.value(LINK)}"
    await wheel.open(f"{played.url}{link}")
    await wheel.until(CAN_SPIN)
    assert await wheel.value("location.href") == f"{played.url}/", "the token does not stay"
    assert await wheel.value("document.querySelector('#left').textContent") == "20"
    assert await wheel.value(ODDS) == DISCLOSED
    assert "公示第 1 版" in await wheel.value("document.querySelector('#version').textContent")
    for screen in reversed(SCREENS):
        await fits(wheel, screen)

    won = await win(wheel)
    assert await wheel.value(SAID) == f"恭喜获得 {won} 积分！"
    assert await wheel.value("document.querySelector('#arrived').textContent") == str(won)
    assert await wheel.value("Number(document.querySelector('#left').textContent)") < 20

    await app.until(f"{POINTS} === {before + won}")
    first = await app.value("document.querySelector('#entries li').textContent")
    assert re.fullmatch(rf"游戏奖励 · .+{A_MOMENT}\+{won}", first), first

    again = await browser.page()
    await again.open(f"{played.url}{link}")
    await again.until(f"{SAID} !== ''")
    assert "失效" in await again.value(SAID), "a token is good once"
    for page in (app, wheel):
        assert page.complaints == []
        assert page.hosts() == {played.url.removeprefix("http://")}


async def test_it_leads_there_and_back_in_one_tab(browser: Browser, played: Played) -> None:
    page = await browser.page()
    await page.look_like(**SCREENS[0])
    await page.open(f"{played.url}/app")
    await page.until("document.querySelectorAll('#entries li').length === 8")
    before = await page.value(POINTS)
    await page.value("document.querySelector('#play').click()")
    await page.until(f"location.pathname === '/' && document.querySelector('#spin') && {CAN_SPIN}")
    assert await page.value("location.hash") == ""
    won = await win(page)
    await page.value("document.querySelector('.back').click()")
    await page.until(f"document.querySelector('#points') && {POINTS} === {before + won}")
    await page.value("document.querySelector('#play').click()")
    await page.until(f"location.pathname === '/' && document.querySelector('#spin') && {CAN_SPIN}")
    assert len(await page.value(WON)) == 1, "the same player"
    assert page.complaints == []


async def test_whoever_has_no_token_or_no_gateway_is_told_what_to_do(
    browser: Browser, played: Played
) -> None:
    page, app = await browser.page(), await browser.page()
    await page.open(played.url)
    await page.until(f"{SAID} !== ''")
    assert await page.value(SAID) == "请从会员中心进入，登录后就能转。"
    assert await page.value(ODDS) == DISCLOSED
    assert await page.value("document.querySelectorAll('.wheel.idle path').length") == 5
    assert await page.value("document.querySelector('#spin').hidden")
    assert not await page.value("document.querySelector('#home').hidden")
    for screen in reversed(SCREENS):
        await fits(page, screen)

    await app.open(f"{played.url}/app")
    await app.until("document.querySelectorAll('#entries li').length === 8")
    played.demo.kill()
    trouble = "document.querySelector('#trouble')"
    await app.until(f"!{trouble}.hidden && {trouble}.textContent.includes('连不上')")
    await app.value("document.querySelector('#play').click()")
    await app.until(f"{SAID} === '现在还去不了，请稍后再点一次。'")
    assert not await app.value("document.querySelector('#play').disabled")
    for screen in reversed(SCREENS):
        await fits(app, screen)
    said = played.log.read_text()
    assert said.count("is out of reach") == 1, said
    assert "Traceback" not in said
