"""`me.changes`: what happened since a client last looked, in order, each once."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from domain import storage
from domain.outbox import Event, announce
from schema.changes import CHANGED
from tests.graphql.gateway import NOW, Gateway, cursor, global_id, plain_id
from tests.graphql.orders import order, record
from tests.repository.tree import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = """
query Changes($since: String, $first: Int = 100) {
  me { version changes(since: $since, first: $first) {
    cursor version more items { kind id occurredAt }
  } }
}
"""


async def ask(gateway: Gateway, token: str, **variables: Any) -> dict[str, Any]:
    response = await gateway.ask(QUERY, variables, token=token)
    body = response.json()
    assert "errors" not in body, body
    changes: dict[str, Any] = body["data"]["me"]["changes"]
    assert changes["more"] or changes["version"] == body["data"]["me"]["version"]
    return changes


async def code(gateway: Gateway, token: str, since: str) -> str:
    (error,) = (await gateway.ask(QUERY, {"since": since}, token=token)).json()["errors"]
    found: str = error["extensions"]["code"]
    return found


def told(changes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["kind"], plain_id(item["id"])) for item in changes["items"]]


async def test_a_client_learns_what_to_fetch_again(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    token, me = session.access_token, f"Member:{session.member}"
    first = await gateway.send("Changes", token)
    assert told(first["changes"]) == [("MEMBER_JOINED", me)]
    since = first["changes"]["cursor"]
    assert (await ask(gateway, token, since=since))["items"] == []

    await gateway.send("UpdateProfile", token, input={"nickname": "小明"})
    payload = await record(gateway, "b1", [order("A", session.member_id)])
    purchase = plain_id(payload["batch"]["receipts"][0]["orderId"])
    changes = await ask(gateway, token, since=since)
    assert sorted(told(changes)) == sorted(
        [
            ("PROFILE_UPDATED", me),
            ("POINTS_CHANGED", f"LedgerEntry:{session.member}:1"),
            ("PURCHASE_RECORDED", purchase),
        ]
    )
    assert {item["occurredAt"] for item in changes["items"]} == {"2026-03-01T12:00:00Z"}
    assert (changes["version"], changes["more"]) == ("4", False)
    again = await ask(gateway, token, since=changes["cursor"])
    assert (again["items"], again["cursor"]) == ([], changes["cursor"])


async def test_pages_give_each_change_once_and_in_order(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    for number in range(6):
        await gateway.send("UpdateProfile", session.access_token, input={"nickname": f"n{number}"})
    seen: list[str] = []
    since, more = None, True
    while more:
        page = await ask(gateway, session.access_token, since=since, first=3)
        seen += [item["kind"] for item in page["items"]]
        since, more = page["cursor"], page["more"]
        assert len(page["items"]) == 3 or not more
    assert seen == ["MEMBER_JOINED"] + ["PROFILE_UPDATED"] * 6


async def test_a_cursor_that_is_not_kept_any_more_says_so(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    token = session.access_token
    for number in range(3):
        await gateway.send("UpdateProfile", token, input={"nickname": f"n{number}"})
    first = await ask(gateway, token, first=1)
    await storage.execute("DELETE FROM outbox WHERE member_id = $1 AND seq <= 2", session.member)
    assert await code(gateway, token, first["cursor"]) == "CURSOR_EXPIRED"
    assert await code(gateway, token, cursor('["events",5]')) == "CURSOR_EXPIRED"
    assert told(await ask(gateway, token)) == [("PROFILE_UPDATED", f"Member:{session.member}")] * 2
    assert told(await ask(gateway, token, since=cursor('["events",4]'))) == []


@pytest.mark.parametrize(
    "since",
    ["", "x", "积分", cursor('["entries",1]'), cursor('["events"]'), cursor('["events","1"]')],
)
async def test_a_text_that_is_no_cursor_is_refused(gateway: Gateway, since: str) -> None:
    session = await gateway.sign_in()
    assert await code(gateway, session.access_token, since) == "BAD_CURSOR"


async def test_a_member_sees_nobody_elses_changes(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    await gateway.send("UpdateProfile", alice.access_token, input={"nickname": "n"})
    assert told(await ask(gateway, bob.access_token)) == [("MEMBER_JOINED", f"Member:{bob.member}")]
    event = Event(kind="ProgrammeChanged", member_id=None, facts={})
    await announce([event], now=NOW)
    assert len((await ask(gateway, bob.access_token))["items"]) == 1
    assert global_id("Member", bob.member) == bob.member_id


async def test_every_event_that_is_announced_about_a_member_has_a_name_for_clients() -> None:
    events = [
        {keyword.arg: keyword.value for keyword in node.keywords}
        for file in (ROOT / "domain").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Event"
    ]
    about_none = {"None", "partner.account_id", "wanted.partner_id"}
    about_members = {
        facts["kind"].value
        for facts in events
        if isinstance(facts["kind"], ast.Constant)
        and ast.unparse(facts["member_id"]) not in about_none
    }
    assert about_members == CHANGED.keys()
