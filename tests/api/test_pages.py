"""The start page: what developers find there, in both languages, and who finds it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette

from api.demo import demo_file
from api.pages.hosts import require_known_host
from api.pages.presets import TABS, presets, served
from api.pages.serving import DOCS, GUIDES, pages
from api.pages.words import WORDS
from api.transport import TransportFault
from domain.errors import ErrorCode
from schema.building import JifenSchema
from schema.faults import FaultCode
from schema.planned_operations import read_operations
from schema.root import build_schema
from tests.api.gateway import Gateway, development_settings

DEMO: Final = {
    "graphqlUrl": "http://127.0.0.1:8123/graphql",
    "appId": "wxjifendemo0000001",
    "memberIds": ["TWVtYmVyOjE"],
    "memberToken": "the-member",
    "shopToken": "the-shop",
    "partnerToken": "the-partner",
    "staffToken": "the-staff",
}


HOME: Final = "http://127.0.0.1:8123"


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a running demo."""
    file = tmp_path / "demo.json"
    file.write_bytes(json.dumps(DEMO).encode())
    monkeypatch.setattr(demo_file, "DEMO_FILE", file)
    return file


@cache
def real_schema() -> JifenSchema:
    return build_schema()


@cache
def site() -> Starlette:
    """The pages alone, around the real schema."""
    settings = development_settings(fake_wechat_port=8124)
    return Starlette(routes=pages(real_schema(), settings))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(site())
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
        yield client


def rewrite(file: Path, content: str) -> None:
    """Put something else into the demo's file."""
    file.write_text(content)


class Read(HTMLParser):
    """A page as it is read: texts of code, tags left open, ids, and everything that is named."""

    VOID = frozenset({"meta", "link", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.languages: list[str] = []
        self.inline: list[str] = []
        self.codes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = {name: text or "" for name, text in attributes}
        self.ids += [told[name] for name in ("id",) if name in told]
        self.named += [told[name] for name in ("src", "href") if name in told]
        self.languages += [told["lang"]] if tag == "html" else []
        self.inline += [name for name in told if name == "style" or name.startswith("on")]
        self.inline += ["script"] if tag == "script" and "src" not in told else []
        self.inline += ["style"] if tag == "style" else []
        if tag == "code":
            self.codes.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "code":
            self.codes[-1] += data


async def read(http: httpx.AsyncClient, path: str = "/", **headers: str) -> Read:
    response = await http.get(path, headers=headers)
    assert response.status_code == 200
    page = Read(response.text)
    assert page.open == [], "every tag is closed"
    return page


async def test_the_page_is_whole_and_names_nothing_elsewhere(http: httpx.AsyncClient) -> None:
    page = await read(http)
    assert page.inline == [], "no script and no style inside the page"
    assert len(page.ids) == len(set(page.ids))
    for named in page.named:
        assert named.startswith(("/", "#", "http://127.0.0.1:8124"))
        assert not named.startswith("//")
        if named.startswith("#"):
            assert named[1:] in page.ids
    policy = (await http.get("/")).headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def test_signing_in_is_told_with_the_real_app_and_ports(http: httpx.AsyncClient) -> None:
    codes = (await read(http)).codes
    (sign_in,) = (text for text in codes if text.startswith("CODE="))
    for part in (
        "http://127.0.0.1:8124/_fake/login",
        "http://127.0.0.1:8123/graphql",
        '{"appId":"wxjifendemo0000001","openid":"my-openid"}',
    ):
        assert part in sign_in
    (home,) = (text for text in codes if text.startswith("TOKEN="))
    assert "var/demo.json" in home


async def test_without_a_demo_the_page_says_how_to_make_one(
    http: httpx.AsyncClient, demo: Path
) -> None:
    for content in ("", "{", "[]"):
        rewrite(demo, content)
        page = (await http.get("/?lang=en")).text
        assert html.escape(WORDS["en"]["no_demo"]) in page
        assert "TOKEN=" not in page
        assert (await http.get("/graphiql/presets.json")).json()["headers"] == {}


async def test_every_operation_that_is_served_can_be_copied_and_no_other(
    http: httpx.AsyncClient,
) -> None:
    page = await read(http)
    texts = {one.name: one.text for one in served(real_schema()._schema)}
    assert {"Home", "SignInWithWeChat", "RecordPurchases"} <= texts.keys()
    for name, one in read_operations().items():
        assert (one.text in page.codes) == (name in texts)
        assert (f"document-{name}" in page.ids) == (name in texts)
        assert (f"/graphql#{name}" in page.named) == (name in texts)


async def test_every_code_is_explained(http: httpx.AsyncClient) -> None:
    page = await read(http)
    assert {*ErrorCode, *FaultCode} <= set(page.ids)
    chinese, english = [(await http.get(f"/?lang={one}")).text for one in ("zh", "en")]
    assert "积分不足：需要 {requested}，可用 {available}" in chinese
    assert "Not enough points: {requested} needed, {available} available" in english


@pytest.mark.parametrize(
    ("path", "accepted", "language"),
    [
        ("/", None, "zh-CN"),
        ("/", "en-GB,en;q=0.9", "en"),
        ("/", "fr", "zh-CN"),
        ("/?lang=en", "zh-CN", "en"),
        ("/?lang=zh", "en", "zh-CN"),
        ("/?lang=<script>", "en", "en"),
    ],
)
async def test_the_language_is_the_readers(
    path: str, accepted: str | None, language: str, http: httpx.AsyncClient
) -> None:
    headers = {"accept-language": accepted} if accepted else {}
    response = await http.get(path, headers=headers)
    assert Read(response.text).languages == [language]
    assert response.headers["vary"] == "Accept-Language"
    assert "<script>" not in response.text


def test_both_languages_have_the_same_words_and_all_are_used() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    folder = Path(demo_file.__file__).parents[1] / "pages" / "templates"
    template = (folder / "start.html").read_text()
    used = set(re.findall(r"words\.(\w+)", template)) | set(GUIDES.values())
    used |= {f"audience_{one.audience}" for one in read_operations().values()}
    assert used == WORDS["zh"].keys()


async def test_what_the_demo_file_says_is_text_and_never_markup(
    http: httpx.AsyncClient, demo: Path
) -> None:
    rewrite(demo, json.dumps({**DEMO, "graphqlUrl": "'><script>alert(1)</script>"}))
    assert "<script>alert" not in (await http.get("/")).text


async def test_graphiql_opens_with_tokens_and_variables(http: httpx.AsyncClient) -> None:
    response = await http.get("/graphiql/presets.json")
    assert response.headers["cache-control"] == "no-store"
    told: dict[str, Any] = response.json()
    assert told["tabs"][:2] == ["Home", "SignInWithWeChat"]
    assert set(told["tabs"]) <= set(TABS) & told["operations"].keys()
    assert told["headers"] == {"Authorization": "Bearer the-member"}
    operations = told["operations"]
    assert operations["Home"]["headers"] == {"Authorization": "Bearer the-member"}
    assert operations["SignInWithWeChat"]["headers"] == {}
    assert operations["SignInWithWeChat"]["variables"] == {
        "input": {"appId": "wxjifendemo0000001", "code": "the code of wx.login"}
    }
    assert operations["RecordPurchases"]["headers"] == {"Authorization": "Bearer the-shop"}
    (order,) = operations["RecordPurchases"]["variables"]["input"]["orders"]
    assert order["member"] == {"id": "TWVtYmVyOjE"}
    assert order["lines"] == [
        {"lineId": "1", "productCode": "tea-01", "quantity": 1, "amount": 8800}
    ]


def test_examples_fit_the_types_of_their_variables() -> None:
    """Whatever is required is there: the engine coerces every example."""
    from graphql.execution.values import get_variable_values

    schema = real_schema()._schema
    for one in presets(served(schema), schema, development_settings()):
        (definition,) = read_operations()[one.name].document.definitions
        coerced = get_variable_values(
            real_schema()._schema,
            definition.variable_definitions or (),  # type: ignore[attr-defined]  # an operation
            dict(one.variables),
        )
        assert not isinstance(coerced, list), (one.name, coerced)


@pytest.mark.parametrize("name", GUIDES)
async def test_guides_are_served_as_they_are(name: str, http: httpx.AsyncClient) -> None:
    response = await http.get(f"/docs/{name}.md")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.content == (DOCS / f"{name}.md").read_bytes()


@pytest.mark.parametrize(
    "path", ["/docs/template.md", "/docs/..%2fREADME.md", "/docs/decisions/0001.md", "/docs/"]
)
async def test_nothing_else_of_the_folder_is(path: str, http: httpx.AsyncClient) -> None:
    assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/", "/graphiql/presets.json", "/docs/shops.md"])
async def test_production_has_none_of_it(path: str, production: Gateway) -> None:
    response = await production.http.get(path)
    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_developers_gateway_has_all_of_it(gateway: Gateway) -> None:
    home = {"host": "localhost:8123"}
    for path in ("/", "/graphiql/presets.json", "/docs/shops.md", "/static/pages/start.css"):
        assert (await gateway.http.get(path, headers=home)).status_code == 200


async def test_whatever_the_start_page_and_the_guides_link_to_is_there(gateway: Gateway) -> None:
    page = Read((await gateway.http.get("/", headers={"host": "localhost:8123"})).text)
    links = {one.partition("#")[0].partition("?")[0] for one in page.named if one.startswith("/")}
    for guide in (f"/docs/{name}.md" for name in GUIDES):
        text = (await gateway.http.get(guide)).text
        named = re.findall(r"\]\(([\w./-]+\.md)[)#]", text)
        # What leads out of docs/ is read in the repository.
        assert all((DOCS / one).is_file() for one in named if one.startswith("../"))
        links |= {urljoin(guide, one) for one in named if not one.startswith("../")}
    assert {"/metrics", "/docs/access.md", "/docs/decisions/README.md"} <= links
    asked = {"host": "localhost:8123", "accept": "text/html"}
    statuses = {one: (await gateway.http.get(one, headers=asked)).status_code for one in links}
    assert {one for one, status in statuses.items() if status != 200} == set()


async def test_several_workers_show_no_metrics_here() -> None:
    settings = development_settings(workers=2, redis_url="redis://127.0.0.1/0")
    app = Starlette(routes=pages(real_schema(), settings))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as http:
        assert "/metrics" not in (await read(http)).named


@pytest.mark.parametrize("path", ["/", "/graphiql/presets.json"])
async def test_a_name_that_was_made_to_lead_here_reads_nothing_of_the_demo(
    path: str, gateway: Gateway
) -> None:
    for host in ("evil.example:8123", "localhost.evil.example", "10.0.0.1:8123", "[", "", "::1"):
        response = await gateway.http.get(path, headers={"host": host})
        assert response.status_code == 403, host
        assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert "the-member" not in response.text


@pytest.mark.parametrize(
    ("host", "changes"),
    [
        ("localhost", {}),
        ("LOCALHOST:8123", {}),
        ("jifen.localhost", {}),
        ("127.0.0.2:8123", {}),
        ("[::1]:8123", {}),
        ("shop.example", {"issuer": "https://shop.example"}),
        ("app.example:8443", {"cors_origins": ("https://app.example",)}),
        ("devbox", {"host": "devbox"}),
        ("192.168.1.5:8123", {"host": "0.0.0.0"}),
    ],
)
def test_this_machine_and_what_is_configured_are_answered(
    host: str, changes: dict[str, Any]
) -> None:
    require_known_host(host, development_settings(**changes))
    with pytest.raises(TransportFault):
        require_known_host("evil.example", development_settings(**changes))


def test_every_origin_may_call_and_still_no_name_may_be_this_machine() -> None:
    with pytest.raises(TransportFault):
        require_known_host("evil.example", development_settings(cors_origins=("*",)))
