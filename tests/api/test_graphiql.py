"""GraphiQL: from this server alone, in development only."""

from __future__ import annotations

import re

import pytest

from api.graphiql import STATIC
from tests.api.gateway import Gateway

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
VENDORED_BYTES_MAX = 3 * 1024 * 1024


async def test_a_browser_gets_the_page(gateway: Gateway) -> None:
    response = await gateway.http.get("/graphql", headers=HTML)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; " in policy
    assert "connect-src 'self'; " in policy


async def test_all_that_the_page_asks_for_is_served_here(gateway: Gateway) -> None:
    page = (await gateway.http.get("/graphql", headers=HTML)).text
    asked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sorted(asked) == [
        "/static/graphiql/start.css",
        "/static/graphiql/start.js",
        "/static/graphiql/vendor/graphiql.min.css",
        "/static/graphiql/vendor/graphiql.min.js",
        "/static/graphiql/vendor/react-dom.production.min.js",
        "/static/graphiql/vendor/react.production.min.js",
        "data:,",
    ]
    for path in asked[1:]:
        response = await gateway.http.get(path)
        assert response.status_code == 200, path
        assert int(response.headers["content-length"]) > 50


def test_no_style_sheet_asks_another_host() -> None:
    sheets = list(STATIC.rglob("*.css"))
    assert len(sheets) == 3
    for sheet in sheets:
        text = sheet.read_text("utf-8")
        assert re.findall(r"url\(\s*['\"]?(?!data:)[^)]{0,40}", text) == []
        assert "@import" not in text


def test_what_is_vendored_is_small_and_has_its_licences() -> None:
    vendor = STATIC / "graphiql" / "vendor"
    assert sum(path.stat().st_size for path in vendor.iterdir()) < VENDORED_BYTES_MAX
    assert {path.name for path in vendor.glob("LICENSE.*")} == {"LICENSE.graphiql", "LICENSE.react"}


@pytest.mark.parametrize(
    "path", ["/static/graphiql/../../settings.py", "/static/%2e%2e/app.py", "/static/"]
)
async def test_nothing_else_is_served_from_the_folder(gateway: Gateway, path: str) -> None:
    assert (await gateway.http.get(path)).status_code == 404


async def test_a_client_that_does_not_want_html_gets_json(gateway: Gateway) -> None:
    response = await gateway.http.get("/graphql", headers={"accept": "*/*"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == "`query` is missing."


async def test_production_has_neither_page_nor_files(production: Gateway) -> None:
    page = await production.http.get("/graphql", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (
        400,
        "application/json; charset=utf-8",
    )
    assert (await production.http.get("/static/graphiql/start.js")).status_code == 404
