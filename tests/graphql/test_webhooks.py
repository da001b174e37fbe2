"""Partners read what they were told; staff sees it, sends it again and takes addresses up again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain import games
from domain.access import KeyRing, StaffRole
from domain.games import SendingRules, WebhookClient, WebhookSending, webhook_consumer
from domain.outbox import Event, announce, drain
from tests.domain.games.webhook_receiver import Hook, running_hook
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.partners import Platform, take_in
from tests.graphql.programme import CLERK

pytestmark = pytest.mark.asyncio(loop_scope="module")

DELIVERIES = """webhookDeliveries(first: 10) {
    nodes { id type state attempts createdAt nextAt lastAt lastStatus lastError deliveredAt } }"""
MINE = f"{{ partner {{ {DELIVERIES} }} }}"
OF_STAFF = f"""query($code: String!) {{ staff {{ partner(code: $code) {{
    webhooksDisabledAt {DELIVERIES} }} }} }}"""
REPLAY = """mutation($input: ReplayWebhooksInput!) { replayWebhooks(input: $input) {
    count userErrors { code field } } }"""
ENABLE = """mutation($input: PartnerCodeInput!) { enableWebhooks(input: $input) {
    partner { code webhooksDisabledAt } userErrors { code field } } }"""
MOMENT = "2026-03-01T12:00:00Z"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as running:
        yield running


async def told(gateway: Gateway, hook: Hook, *refs: str) -> tuple[Platform, list[str]]:
    """A partner who was told of each of these; and the ids of the messages."""
    platform = await take_in(gateway, webhook_url=hook.url)
    for ref in refs:
        facts = {"partner_id": str(platform.partner.account_id), "member_ref": ref}
        await announce([Event(kind="MemberUnbound", member_id=None, facts=facts)], now=NOW)
        await drain([webhook_consumer()], clock=lambda: NOW)
    await send(gateway)
    return platform, hook.ids


async def send(gateway: Gateway) -> None:
    """Send what is due."""
    sending = WebhookSending(
        client=WebhookClient(SendingRules(is_open=True)),
        ring=keys_of(gateway),
        clock=lambda: NOW,
        at_once=1,
    )
    for endpoint in await games.due_endpoints(now=NOW):
        await games.take_turn(endpoint, sending)


def keys_of(gateway: Gateway) -> KeyRing:
    return gateway.tokens.keys


async def ask(gateway: Gateway, query: str, token: str, **variables: Any) -> Any:
    body = (await gateway.ask(query, variables, token=token)).json()
    assert "errors" not in body, body
    return body["data"]


async def test_a_partner_reads_its_own_deliveries_and_nobody_elses(
    gateway: Gateway, hook: Hook
) -> None:
    platform, ids = await told(gateway, hook, "gm_a")
    hook.will_answer(500)
    other = await take_in(gateway, "other", webhook_url=hook.url)
    delivered = {
        "id": ids[0],
        "type": "member.unbound",
        "state": "DELIVERED",
        "attempts": 1,
        "createdAt": MOMENT,
        "nextAt": None,
        "lastAt": MOMENT,
        "lastStatus": 204,
        "lastError": None,
        "deliveredAt": MOMENT,
    }
    data = await ask(gateway, MINE, await platform.token())
    assert data["partner"]["webhookDeliveries"]["nodes"] == [delivered]
    data = await ask(gateway, MINE, await other.token())
    assert data["partner"]["webhookDeliveries"]["nodes"] == []
    writer = await platform.token("rewards:write")
    body = (await gateway.ask(MINE, token=writer)).json()
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_staff_takes_an_address_up_again_and_what_waits_goes_out(
    gateway: Gateway, hook: Hook
) -> None:
    hook.will_answer(410)
    platform, _ = await told(gateway, hook, "gm_a")
    token = await gateway.token_of(CLERK, StaffRole.FINANCE)
    seen = (await ask(gateway, OF_STAFF, token, code=platform.code))["staff"]["partner"]
    assert seen["webhooksDisabledAt"] == MOMENT
    [one] = seen["webhookDeliveries"]["nodes"]
    assert (one["state"], one["lastStatus"], one["lastError"]) == ("PENDING", 410, "status")

    admin = await gateway.token_of(CLERK, StaffRole.ADMIN)
    for query in (ENABLE, REPLAY):
        body = (await gateway.ask(query, {"input": {"code": platform.code}}, token=token)).json()
        assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    data = await ask(gateway, ENABLE, admin, input={"code": platform.code})
    assert data["enableWebhooks"] == {
        "partner": {"code": platform.code, "webhooksDisabledAt": None},
        "userErrors": [],
    }
    await send(gateway)
    data = await ask(gateway, MINE, await platform.token())
    assert [one["state"] for one in data["partner"]["webhookDeliveries"]["nodes"]] == ["DELIVERED"]
    assert hook.ids == [one["id"]] * 2


async def test_staff_sends_again_under_the_same_id(gateway: Gateway, hook: Hook) -> None:
    platform, ids = await told(gateway, hook, "gm_a", "gm_b")
    admin = await gateway.token_of(CLERK, StaffRole.ADMIN)

    async def replay(**given: Any) -> Any:
        data = await ask(gateway, REPLAY, admin, input={"code": platform.code, **given})
        return data["replayWebhooks"]

    assert await replay(ids=[ids[1]]) == {"count": 1, "userErrors": []}
    await send(gateway)
    assert await replay(since=MOMENT) == {"count": 2, "userErrors": []}
    await send(gateway)
    assert sorted(hook.ids) == sorted([ids[0]] * 2 + [ids[1]] * 3)
    for given, code, field in (
        ({}, "INVALID_INPUT", "since"),
        ({"since": MOMENT, "ids": ids}, "INVALID_INPUT", "since"),
        ({"ids": []}, "INVALID_INPUT", "ids"),
        ({"ids": ["msg_x"]}, "INVALID_INPUT", "ids"),
        ({"code": "nobody", "since": MOMENT}, "PARTNER_UNKNOWN", "code"),
    ):
        refused = await replay(**given)
        assert refused == {"count": None, "userErrors": [{"code": code, "field": [field]}]}
    refused = await ask(gateway, ENABLE, admin, input={"code": "nobody"})
    assert refused["enableWebhooks"]["userErrors"] == [
        {"code": "PARTNER_UNKNOWN", "field": ["code"]}
    ]
