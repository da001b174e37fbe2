"""The texts that staff gives to what members are told: versioned, and worded for all."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import orjson
import pytest

from domain import storage
from domain.access import StaffRole
from domain.audit import entries
from domain.notifications import KINDS, Notification, notification_text_flaws, notify
from domain.paging import PageRequest
from tests.graphql import conftest
from tests.graphql.gateway import Gateway, Session
from tests.graphql.operations import operation
from tests.graphql.programme import CLERK

gateway = conftest.own_gateway

DEFINE: Final = """mutation($input: DefineNotificationTextInput!) {
    defineNotificationText(input: $input) {
        text { kind version titleZh titleEn bodyZh bodyEn link definedAt }
        userErrors { code field } } }"""
TEXTS: Final = """query($kind: String!) { staff { notificationTexts { kind version facts }
    notificationTextHistory(kind: $kind) { nodes { version titleEn definedAt } } } }"""


async def ask(gateway: Gateway, token: str, query: str, **variables: Any) -> Any:
    body = (await gateway.ask(query, variables, token=token)).json()
    assert "errors" not in body, body
    return body["data"]


async def define(gateway: Gateway, kind: str = "LEVEL_REACHED", **changes: Any) -> Any:
    given = {
        "kind": kind,
        "version": 0,
        "titleZh": "{level}！",
        "titleEn": "{level}!",
        "bodyZh": "",
        "bodyEn": "Well done.\nYou are {level}.",
        "link": "/levels/{level}",
    } | changes
    token = await gateway.token_of(CLERK, StaffRole.MARKETING)
    return (await ask(gateway, token, DEFINE, input=given))["defineNotificationText"]


async def inbox(gateway: Gateway, who: Session, language: str) -> list[tuple[str, str, str]]:
    response = await gateway.ask(operation("Inbox"), token=who.access_token, language=language)
    nodes = response.json()["data"]["me"]["notifications"]["nodes"]
    return [(node["title"], node["body"], node["link"]) for node in nodes]


async def test_staff_gives_a_kind_its_text(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    one = Notification(member_id=alice.member, kind="LEVEL_REACHED", facts={"level": "silver"})
    await storage.transaction(partial(notify, [one], now=gateway.clock.now()))
    assert await define(gateway) == {
        "text": {
            "kind": "LEVEL_REACHED",
            "version": 1,
            "titleZh": "{level}！",
            "titleEn": "{level}!",
            "bodyZh": "",
            "bodyEn": "Well done.\nYou are {level}.",
            "link": "/levels/{level}",
            "definedAt": "2026-03-01T12:00:00Z",
        },
        "userErrors": [],
    }
    # What was told before is worded anew; a fact in a link is written as links have it.
    assert await inbox(gateway, alice, "zh") == [
        ("白银会员！", "", "/levels/%E7%99%BD%E9%93%B6%E4%BC%9A%E5%91%98")
    ]
    assert await inbox(gateway, alice, "en") == [
        ("Silver!", "Well done.\nYou are Silver.", "/levels/Silver")
    ]
    assert (await define(gateway))["userErrors"] == [
        {"code": "DEFINITION_CHANGED", "field": ["version"]}
    ]
    assert (await define(gateway, version=1))["text"]["version"] == 1
    assert (await define(gateway, version=1, titleEn="Now {level}"))["text"]["version"] == 2
    read = (await ask(gateway, await gateway.staff(), TEXTS, kind="LEVEL_REACHED"))["staff"]
    assert [(one["kind"], one["version"]) for one in read["notificationTexts"]] == [
        (kind, 2 if kind == "LEVEL_REACHED" else 0) for kind in sorted(KINDS)
    ]
    assert read["notificationTexts"][1]["facts"] == list(KINDS["LEVEL_LOWERED"].facts)
    assert [
        (one["version"], one["titleEn"]) for one in read["notificationTextHistory"]["nodes"]
    ] == [(2, "Now {level}"), (1, "{level}!")]
    log = [
        orjson.loads(entry.after or "{}")["version"]
        for entry in (await entries(PageRequest(first=10))).items
        if entry.action == "notification_text.define"
    ]
    assert log == [2, 1, 1]


async def test_a_text_that_could_not_be_worded_is_refused(gateway: Gateway) -> None:
    for changes, field in (
        ({"kind": "NO_SUCH_KIND"}, "kind"),
        ({"titleZh": ""}, "titleZh"),
        ({"titleEn": "x" * 201}, "titleEn"),
        ({"titleEn": "{points}"}, "titleEn"),
        ({"bodyZh": "{level"}, "bodyZh"),
        ({"bodyEn": "{level.name}"}, "bodyEn"),
        ({"bodyEn": "x" * 2_001}, "bodyEn"),
        ({"link": "https://elsewhere.example"}, "link"),
        ({"link": "//elsewhere.example"}, "link"),
        ({"link": "/{name}"}, "link"),
    ):
        answer = await define(gateway, **changes)
        assert answer == {
            "text": None,
            "userErrors": [{"code": "INVALID_INPUT", "field": [field]}],
        }, changes
    assert await storage.fetch_all("SELECT 1 FROM notification_text") == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_text_that_a_kind_came_with_keeps_the_rules(kind: str) -> None:
    assert notification_text_flaws(kind, KINDS[kind].text).found == []
