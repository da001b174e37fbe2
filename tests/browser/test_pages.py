"""The start page and GraphiQL as a browser has them: shown, used, and asking nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from domain import outbox
from tests.browser.chromium import Page
from tests.browser.conftest import Site
from tests.graphql.operations import operation
from tests.graphql.orders import applied, order, record
from tests.streaming.serving import until

pytestmark = pytest.mark.faults

PHONE: dict[str, Any] = {"width": 390, "height": 844, "mobile": True}
DESKTOP: dict[str, Any] = {"width": 1280, "height": 900}

SIGN_IN = "document.getElementById('sign-in-command').textContent"
ANSWER = "(document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue() ?? '')"
RUN = "document.querySelector('.graphiql-execute-button')"


async def test_the_start_page_is_shown_on_phone_and_desktop(page: Page, site: Site) -> None:
    for screen in (PHONE, DESKTOP):
        await page.look_like(**screen)
        for language in ("zh", "en"):
            await page.open(f"{site.url}/?lang={language}#operation-Home")
            assert await page.value("document.documentElement.scrollWidth") == screen["width"]
            folded = "document.getElementById('operation-Home').open"
            assert await page.value(folded), "a link to an operation opens it"
            top = await page.value(
                "document.getElementById('operation-Home').getBoundingClientRect().top"
            )
            assert 0 < top < screen["height"] / 2, "and shows it, below the bar"
    assert page.hosts() == {site.host}
    assert page.complaints == []


async def test_what_is_copied_can_be_pasted_and_the_keyboard_is_enough(
    page: Page, site: Site
) -> None:
    await page.look_like(**DESKTOP)
    await page.open(f"{site.url}/?lang=en")
    command = await page.value(SIGN_IN)
    assert f"{site.url}/graphql" in command
    assert "wxjifendemo0000001" in command

    await page.value("document.querySelector('[data-copies=sign-in-command]').focus()")
    await page.press("Enter", code=13)
    await page.until("document.querySelector('[role=status]').textContent === 'Copied'")
    assert await page.value("navigator.clipboard.readText()") == command

    await page.value("document.querySelector('#operation-Home > summary').focus()")
    await page.press("Enter", code=13)
    await page.until("document.getElementById('operation-Home').open")
    copied = await page.value("document.getElementById('document-Home').textContent")
    assert copied == operation("Home")


async def test_it_is_dark_where_the_reader_wants_it_dark(page: Page, site: Site) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    colours = []
    for dark in (False, True):
        await page.look_like(**DESKTOP, dark=dark)
        await page.open(f"{site.url}/")
        colours.append(await page.value(paper))
    assert colours == ["rgb(246, 249, 247)", "rgb(16, 22, 20)"]


async def test_graphiql_runs_the_home_query_and_follows_the_points(page: Page, site: Site) -> None:
    await page.look_like(**DESKTOP)
    await page.open(f"{site.url}/graphql")
    await page.until(RUN)
    tabs = "[...document.querySelectorAll('.graphiql-tab-button')].map((tab) => tab.textContent)"
    assert (await page.value(tabs))[:2] == ["Home", "SignInWithWeChat"]

    await page.value(f"{RUN}.click()")
    await page.until(f"{ANSWER}.includes('\"balanceAfter\"') || {ANSWER}.includes('\"available\"')")
    answer = await page.value(ANSWER)
    assert site.session.member_id in answer
    assert '"errors"' not in answer

    await page.open(f"{site.url}/graphql#PointsChanged")
    await page.until(RUN)
    await page.value(f"{RUN}.click()")
    live = site.gateway.app.state.runtime.services.live
    await until(lambda: live.followed == 1)
    applied(await record(site.gateway, "one", [order("A", site.session.member_id)]))
    assert await outbox.positions([site.session.member])
    await page.until(f"{ANSWER}.includes('pointsChanged')")
    assert '"available": 88' in await page.value(ANSWER)

    assert page.hosts() == {site.host}
    assert page.complaints == []
