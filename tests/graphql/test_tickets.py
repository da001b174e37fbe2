"""Feedback as clients send it, word for word: filed, read, said more to, rated, served by staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import feedback
from domain.access import StaffRole
from domain.audit import Target, entries
from domain.paging import PageRequest
from tests.graphql.desk import do, open_desk, submit, submitted
from tests.graphql.gateway import NOW, Gateway, global_id, plain_id
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import CLERK

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOWHERE = global_id("Ticket", "01977c1e-0000-7000-8000-000000000000")


async def test_a_complaint_is_filed_with_what_is_promised(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    made = await submitted(gateway, alice)
    assert made == {
        "id": made["id"],
        "number": made["number"],
        "kind": "COMPLAINT",
        "status": "OPEN",
        "priority": 3,
        "submittedAt": "2026-03-01T12:00:00Z",
        "sla": {
            "answerBy": "2026-03-01T13:00:00Z",
            "resolveBy": "2026-03-01T22:00:00Z",
            "answeredAt": None,
            "resolvedAt": None,
            "paused": False,
            "answerBreached": False,
            "resolveBreached": False,
            "policyVersion": 1,
        },
        "offHoursNotice": None,
    }
    assert await submitted(gateway, alice) == made
    assert plain_id(made["id"]).startswith("Ticket:")


async def test_what_is_told_of_a_ticket_leads_to_it(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    made = await submitted(gateway, alice)
    await do(gateway, "AnswerTicket", made["id"], key="a", text="我们在找。")
    await feedback.watch_deadlines(now=NOW + timedelta(hours=11), within_s=10)
    told = await gateway.send("Inbox", alice.access_token)
    assert {(one["kind"], one["link"]) for one in told["notifications"]["nodes"]} == {
        ("TICKET_ANSWERED", f"/tickets/{made['id']}"),
        ("TICKET_RESOLVE_LATE", f"/tickets/{made['id']}"),
    }


async def test_a_conversation_from_the_first_word_to_the_rating(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    made = await submitted(gateway, alice)
    answered = await do(gateway, "AnswerTicket", made["id"], key="a", text="我们在找。")
    assert answered == {
        "ticket": {
            "id": made["id"],
            "status": "ANSWERED",
            "sla": {"answeredAt": "2026-03-01T12:00:00Z"},
        },
        "userErrors": [],
    }
    gateway.clock.advance(minutes=5)
    replied = await gateway.send(
        "ReplyTicket",
        alice.access_token,
        input={"ticketId": made["id"], "text": "谢谢", "idempotencyKey": "r"},
    )
    assert replied == {"ticket": {"id": made["id"], "status": "OPEN"}, "userErrors": []}
    resolved = await do(gateway, "ResolveTicket", made["id"], key="d", causeCode="late")
    assert resolved["ticket"] == {
        "id": made["id"],
        "status": "RESOLVED",
        "cause": {"code": "late", "name": "晚到"},
    }
    rating = {"ticketId": made["id"], "experience": 4, "expectation": 5, "text": "还行"}
    rated = await gateway.send("RateTicket", alice.access_token, input=rating)
    assert rated == {
        "ticket": {"id": made["id"], "satisfaction": {"experience": 4, "expectation": 5}},
        "userErrors": [],
    }
    told = await gateway.send("Tickets", alice.access_token)
    [ticket] = told["tickets"]["nodes"]
    texts = [(one["author"], one["text"], one["at"]) for one in ticket["messages"]["nodes"]]
    assert texts == [
        ("MEMBER", "包裹还没到", "2026-03-01T12:00:00Z"),
        ("STAFF", "我们在找。", "2026-03-01T12:00:00Z"),
        ("MEMBER", "谢谢", "2026-03-01T12:05:00Z"),
    ]
    assert ticket["lastMessageAt"] == "2026-03-01T12:05:00Z"
    assert ticket["status"] == "RESOLVED"


async def test_the_queue_of_staff_names_who_has_it_in_hand(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    made = await submitted(gateway, alice)
    await do(gateway, "AnswerTicket", made["id"], key="q", text="好")
    page = await gateway.send("StaffTickets", await gateway.staff(), status=["ANSWERED"], first=100)
    [mine] = [one for one in page["tickets"]["nodes"] if one["id"] == made["id"]]
    assert mine == {
        "id": made["id"],
        "number": made["number"],
        "kind": "COMPLAINT",
        "priority": 3,
        "status": "ANSWERED",
        "sla": {
            "answerBy": "2026-03-01T13:00:00Z",
            "resolveBy": "2026-03-01T22:00:00Z",
            "answerBreached": False,
            "resolveBreached": False,
        },
        "assignee": {"id": mine["assignee"]["id"], "name": "clerk"},
        "member": {"id": alice.member_id, "nickname": ""},
    }


@pytest.mark.parametrize(
    ("other", "code", "field"),
    [
        ({"text": "字" * 10_001}, "INVALID_INPUT", ["text"]),
        ({"text": " \n "}, "INVALID_INPUT", ["text"]),
        ({"topic": "weather"}, "TOPIC_UNKNOWN", ["topic"]),
        ({"topic": "x" * 10_001}, "TOPIC_UNKNOWN", ["topic"]),
        ({"idempotencyKey": "k" * 129}, "INVALID_INPUT", ["idempotencyKey"]),
        ({"channel": "PHONE"}, "INVALID_INPUT", ["channel"]),
        (
            {"attachmentIds": [global_id("Attachment", "01977c1e-0000-7000-8000-000000000000")]},
            "ATTACHMENT_UNKNOWN",
            ["attachmentIds", "0"],
        ),
    ],
)
async def test_what_cannot_be_filed_is_refused_and_changes_nothing(
    gateway: Gateway, other: dict[str, Any], code: str, field: list[str]
) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    before = await everything_kept()
    payload = await submit(gateway, alice, **other)
    assert payload["ticket"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["field"]) == (code, field)
    assert changed(before, await everything_kept()) == set()


async def test_an_order_of_the_members_own_may_be_named_and_no_other(gateway: Gateway) -> None:
    await open_desk()
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    await record(gateway, "b-1", [order("A-1", alice.member_id)])
    orders = "{ me { purchases(first: 1) { nodes { id } } } }"
    body = (await gateway.ask(orders, token=alice.access_token)).json()
    [bought] = body["data"]["me"]["purchases"]["nodes"]
    before = await everything_kept()
    payload = await submit(gateway, bob, orderId=bought["id"])
    assert [one["code"] for one in payload["userErrors"]] == ["TICKET_ORDER_UNKNOWN"]
    assert changed(before, await everything_kept()) == set()
    made = await submitted(gateway, alice, orderId=bought["id"])
    of = "query($id: ID!) { node(id: $id) { ... on Ticket { orderId topic { code name } } } }"
    shown = (await gateway.ask(of, {"id": made["id"]}, token=alice.access_token)).json()
    assert shown["data"]["node"] == {
        "orderId": bought["id"],
        "topic": {"code": "delivery", "name": "delivery：主题"},
    }


async def test_a_ticket_of_another_member_is_none(gateway: Gateway) -> None:
    await open_desk()
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    made = await submitted(gateway, alice)
    before = await everything_kept()
    for ticket_id in (made["id"], NOWHERE):
        replied = await gateway.send(
            "ReplyTicket",
            bob.access_token,
            input={"ticketId": ticket_id, "text": "?", "idempotencyKey": "r"},
        )
        rated = await gateway.send(
            "RateTicket", bob.access_token, input={"ticketId": ticket_id, "experience": 1}
        )
        for payload in (replied, rated):
            assert payload["ticket"] is None
            assert [one["code"] for one in payload["userErrors"]] == ["TICKET_UNKNOWN"]
        asked = "query($id: ID!) { node(id: $id) { id } }"
        shown = await gateway.ask(asked, {"id": ticket_id}, token=bob.access_token)
        assert shown.json() == {"data": {"node": None}}
    assert changed(before, await everything_kept()) == set()


async def test_what_staff_asks_for_wrongly_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    made = await submitted(gateway, alice)
    before = await everything_kept()
    for name, ticket_id, code, other in (
        ("AnswerTicket", NOWHERE, "TICKET_UNKNOWN", {"text": "x"}),
        ("AnswerTicket", made["id"], "INVALID_INPUT", {"text": "x" * 10_001}),
        ("ResolveTicket", made["id"], "CAUSE_UNKNOWN", {"causeCode": "rain"}),
    ):
        payload = await do(gateway, name, ticket_id, key="w", **other)
        assert [one["code"] for one in payload["userErrors"]] == [code]
    assert changed(before, await everything_kept()) == set()


async def test_acts_of_staff_are_in_the_log_without_a_word(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    made = await submitted(gateway, alice)
    await do(gateway, "AnswerTicket", made["id"], key="log", text="一个秘密")
    target = Target(kind="member", id=plain_id(alice.member_id).removeprefix("Member:"))
    [entry] = (await entries(PageRequest(first=10), target=target)).items
    assert (entry.actor, entry.action) == (f"staff:{CLERK}", "ticket.answer")
    assert "秘密" not in f"{entry.before}{entry.after}"


@pytest.mark.parametrize("role", [StaffRole.MARKETING, StaffRole.FINANCE, StaffRole.ADMIN])
async def test_staff_of_other_roles_see_no_ticket(gateway: Gateway, role: StaffRole) -> None:
    token = await gateway.token_of(CLERK, role)
    body = (await gateway.ask("{ staff { tickets { nodes { id } } } }", token=token)).json()
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_tickets_go_over_with_their_member_and_come_back(gateway: Gateway) -> None:
    await open_desk()
    alice, other = await gateway.sign_in(), await gateway.sign_in("o-other")
    made = await submitted(gateway, other)
    answer = await merged(gateway, {"id": alice.member_id}, {"id": other.member_id})
    again = {"kind": "COMPLAINT", "topic": "delivery", "text": "包裹还没到", "idempotencyKey": "k"}
    sent = await gateway.send("SubmitFeedback", alice.access_token, input=again)
    assert sent["ticket"]["id"] == made["id"]
    told = await gateway.send("Tickets", alice.access_token)
    assert [one["id"] for one in told["tickets"]["nodes"]] == [made["id"]]
    await undone(gateway, {"mergeId": answer["merge"]["id"]})
    for openid, ids in (("o-alice", []), ("o-other", [made["id"]])):
        again_in = await gateway.sign_in(openid)
        told = await gateway.send("Tickets", again_in.access_token)
        assert [one["id"] for one in told["tickets"]["nodes"]] == ids


async def test_what_staff_write_down_is_counted_in_its_shop(gateway: Gateway) -> None:
    await open_desk()
    alice, bob, staff = await gateway.sign_in(), await gateway.sign_in("o-bob"), gateway.staff
    sold = [order("o-1", one.member_id, shop="徐汇店") for one in (alice, bob)]
    applied(await record(gateway, "of-alice", sold[:1]))
    applied(await record(gateway, "of-bob", [{**sold[1], "externalId": gateway.named("o-2")}]))
    [hers], [his] = [
        (await gateway.send("Purchases", one.access_token))["purchases"]["nodes"]
        for one in (alice, bob)
    ]
    opening = """mutation($input: OpenTicketInput!) { openTicket(input: $input) {
        ticket { orderId } userErrors { code field } } }"""

    async def opened(key: str, **other: Any) -> Any:
        given = {
            "member": {"id": alice.member_id},
            "kind": "COMPLAINT",
            "topic": "delivery",
            "text": "包裹还没到",
            "channel": "SHOP",
            "idempotencyKey": gateway.named(key),
            **other,
        }
        body = (await gateway.ask(opening, {"input": given}, token=await staff())).json()
        assert "errors" not in body, body
        return body["data"]["openTicket"]

    async def counted(shop: str) -> int:
        asked = """query($shop: String!) { staff { complaints(
            from: "2026-02-28", to: "2026-03-03", shop: $shop) { figures { tickets } } } }"""
        body = (await gateway.ask(asked, {"shop": shop}, token=await staff())).json()
        count: int = body["data"]["staff"]["complaints"]["figures"]["tickets"]
        return count

    before = [await counted(shop) for shop in ("徐汇店", "浦东店")]
    about = await opened("order", orderId=hers["id"])
    assert about == {"ticket": {"orderId": hers["id"]}, "userErrors": []}
    await opened("shop", shop="浦东店")
    await opened("both", shop="浦东店", orderId=hers["id"])
    kept = await everything_kept()
    for other, code, field in (
        ({"orderId": his["id"]}, "TICKET_ORDER_UNKNOWN", ["orderId"]),
        ({"shop": ""}, "INVALID_INPUT", ["shop"]),
        ({"shop": "x" * 129}, "INVALID_INPUT", ["shop"]),
    ):
        refused = await opened("refused", **other)
        assert refused == {"ticket": None, "userErrors": [{"code": code, "field": field}]}
    assert changed(kept, await everything_kept()) <= {"audit_entry", "audit_head"}
    assert [await counted(shop) for shop in ("徐汇店", "浦东店")] == [before[0] + 1, before[1] + 2]
