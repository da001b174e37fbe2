"""One object by its id: what is not the caller's is answered like what does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from domain import catalogue
from tests.graphql import desk
from tests.graphql.gateway import Gateway, entries_cursor, global_id
from tests.graphql.orders import order, record

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODE = """query($id: ID!) { node(id: $id) { __typename id
    ... on Member { nickname points { available } }
    ... on LedgerEntry { kind amount balanceAfter occurredAt effectiveAt recordedAt
        source { kind reference } }
    ... on Coupon { code title }
    ... on Ticket { number messages { nodes { text } } }
    ... on Product { title price { amount currency } theme { code name } } } }"""
PUBLIC = """query($id: ID!) { node(id: $id) { __typename id
    ... on Product { title price { amount currency } theme { code name } } } }"""
NOBODY = "01977c1e-0000-7000-8000-000000000000"


async def node(gateway: Gateway, global_id: str, token: str | None = None) -> Any:
    query = NODE if token else PUBLIC
    response = await gateway.ask(query, {"id": global_id}, token=token)
    assert "errors" not in response.json(), response.text
    return response.json()["data"]["node"]


async def test_a_member_finds_what_is_theirs(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    gateway.clock.advance(minutes=1)
    await record(gateway, "b", [order("A", alice.member_id)])

    assert await node(gateway, alice.member_id, alice.access_token) == {
        "__typename": "Member",
        "id": alice.member_id,
        "nickname": "",
        "points": {"available": 88},
    }
    entry = global_id("LedgerEntry", f"{alice.member}:1")
    assert await node(gateway, entry, alice.access_token) == {
        "__typename": "LedgerEntry",
        "id": entry,
        "kind": "EARN",
        "amount": 88,
        "balanceAfter": 88,
        "occurredAt": "2026-03-01T11:00:00Z",
        "effectiveAt": "2026-03-01T11:00:00Z",
        "recordedAt": "2026-03-01T12:01:00Z",
        "source": {"kind": "purchase", "reference": "A"},
    }


async def test_a_product_is_there_for_everybody(gateway: Gateway) -> None:
    tea = (await catalogue.products_by_code(["tea"]))["tea"]
    product = global_id("Product", tea.id)
    expected = {
        "__typename": "Product",
        "id": product,
        "title": "西湖龙井 100g",
        "price": {"amount": 16_800, "currency": "CNY"},
        "theme": {"code": "tea", "name": "茶饮"},
    }
    alice = await gateway.sign_in()
    assert await node(gateway, product) == expected
    assert await node(gateway, product, alice.access_token) == expected
    assert await node(gateway, global_id("Product", NOBODY)) is None


async def test_what_is_not_ones_own_is_answered_like_what_is_not_there(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await record(gateway, "b", [order("A", alice.member_id)])
    coupon = "01977c1e-1111-7000-8000-000000000000"
    await desk.open_desk()
    ticket = await desk.submitted(gateway, alice)
    seen = await node(gateway, ticket["id"], alice.access_token)
    assert seen["messages"]["nodes"] == [{"text": "包裹还没到"}]

    for theirs, missing in (
        (alice.member_id, global_id("Member", NOBODY)),
        (
            global_id("LedgerEntry", f"{alice.member}:1"),
            global_id("LedgerEntry", f"{bob.member}:1"),
        ),
        (
            global_id("Coupon", f"{alice.member}:{coupon}"),
            global_id("Coupon", f"{bob.member}:{coupon}"),
        ),
        (ticket["id"], global_id("Ticket", NOBODY)),
    ):
        answers = [
            await gateway.ask(NODE, {"id": one}, token=bob.access_token)
            for one in (theirs, missing)
        ]
        assert answers[0].content == answers[1].content == b'{"data":{"node":null}}'
        assert answers[0].status_code == answers[1].status_code == 200
    # A shop that knows the id learns nothing by it either.
    for token in (await gateway.shop(), await gateway.partner(), await gateway.staff(), None):
        response = await gateway.ask(PUBLIC, {"id": alice.member_id}, token=token)
        assert response.json() == {"data": {"node": None}}


async def test_what_is_no_id_is_a_coded_error(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    valid = alice.member_id
    plain = f"Member:{alice.member}"
    bad = {
        "nothing": "",
        "words": "not an id",
        "a bare UUID": str(alice.member),
        "plain text": plain,
        "cut": valid[:-1],
        "longer": valid + "A",
        "padded": valid + "==",
        "unknown type": global_id("Unicorn", alice.member),
        "a type that is no node": global_id("Level", "gold"),
        "a root type": global_id("Query", "1"),
        "an input type": global_id("MemberRef", alice.member),
        "no type": global_id("", alice.member),
        "no key": global_id("Member", ""),
        "a key that is no UUID": global_id("Member", "42"),
        "capitals": global_id("Member", str(alice.member).upper()),
        "an entry without number": global_id("LedgerEntry", f"{alice.member}:"),
        "an entry before the first": global_id("LedgerEntry", f"{alice.member}:0"),
        "a negative entry": global_id("LedgerEntry", f"{alice.member}:-1"),
        "an entry beyond numbers": global_id("LedgerEntry", f"{alice.member}:{2**63}"),
        "an entry in full width": global_id("LedgerEntry", f"{alice.member}:１"),
        "a coupon of nobody": global_id("Coupon", alice.member),
        "a ticket of somebody": global_id("Ticket", f"{alice.member}:{alice.member}"),
        "a ticket by its number": global_id("Ticket", "T-000001"),
        "a notification of nobody": global_id("Notification", alice.member),
        "a cursor": entries_cursor(1),
        "not base64": "积分" * 10,
        "long": "A" * 10_000,
        "a line feed": global_id("Member", f"{alice.member}\n"),
        "a token": alice.access_token,
    }
    for what, global_text in bad.items():
        response = await gateway.ask(NODE, {"id": global_text}, token=alice.access_token)
        assert response.status_code == 200, what
        assert response.json()["data"] == {"node": None}, what
        (error,) = response.json()["errors"]
        assert error["extensions"] == {
            "code": "BAD_ID",
            "requestId": response.headers["x-request-id"],
        }, what
        assert error["path"] == ["node"]


async def test_another_types_id_names_no_member(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    tea = (await catalogue.products_by_code(["tea"]))["tea"]
    token = await gateway.shop()
    for wrong in (global_id("Product", tea.id), global_id("LedgerEntry", f"{alice.member}:1")):
        response = await gateway.ask(
            "mutation($input: RecordPurchasesInput!) {"
            " recordPurchases(input: $input) { batch { id } } }",
            {"input": {"batchId": "b", "orders": [order("A", wrong)]}},
            token=token,
        )
        assert response.json()["data"] == {"recordPurchases": None}
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "BAD_ID"
        assert error["extensions"]["expected"] == "Member"
        assert error["extensions"]["field"] == ["orders", "0", "member", "id"]
