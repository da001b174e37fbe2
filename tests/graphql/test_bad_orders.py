"""Orders that fit their types and still cannot be recorded: each is rejected by its own receipt."""

from __future__ import annotations

from typing import Any

from domain.ledger import verify_account
from tests.graphql import conftest
from tests.graphql.gateway import Gateway, global_id
from tests.graphql.kept import changed, everything_kept
from tests.graphql.orders import applied, line, order, record

gateway = conftest.own_gateway

NOBODY = global_id("Member", "01977c1e-0000-7000-8000-000000000000")
LARGEST = 2**53 - 1

# What is changed in an order that would be recorded, and the code of its receipt.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "-1 piece": ({"lines": [line("cup", 1, quantity=-1)]}, "QUANTITY_INVALID"),
    "-2^31 pieces": ({"lines": [line("cup", 1, quantity=-(2**31))]}, "QUANTITY_INVALID"),
    "-1 fen for a line": ({"lines": [line("cup", -1)]}, "AMOUNT_INVALID"),
    "-1 fen paid": ({"paid": -1}, "AMOUNT_INVALID"),
    "too many points": (
        {"lines": [line("diamond", LARGEST)], "paid": LARGEST},
        "POINTS_OUT_OF_RANGE",
    ),
    "tomorrow": ({"placedAt": "2026-03-02T12:00:00Z"}, "FUTURE_DATED"),
    "six minutes from now": ({"placedAt": "2026-03-01T12:06:00Z"}, "FUTURE_DATED"),
    "the last year": ({"placedAt": "9999-12-31T00:00:00Z"}, "FUTURE_DATED"),
    "before 1970": ({"placedAt": "1969-12-31T23:59:59Z"}, "INVALID_INPUT"),
    "the first year": ({"placedAt": "0001-01-02T00:00:00Z"}, "INVALID_INPUT"),
    "dollars": ({"currency": "USD"}, "CURRENCY_MISMATCH"),
    "yuan in small letters": ({"currency": "cny"}, "CURRENCY_MISMATCH"),
    "no currency's name": ({"currency": ""}, "CURRENCY_MISMATCH"),
    "a currency of 10 KB": ({"currency": "C" * 10_000}, "CURRENCY_MISMATCH"),
    "no line": ({"lines": []}, "LINES_INVALID"),
    "a line twice": ({"lines": [line("cup", 1), line("cup", 2)]}, "LINES_INVALID"),
    "an empty id": ({"externalId": ""}, "TEXT_INVALID"),
    "an id of 129 characters": ({"externalId": "x" * 129}, "TEXT_INVALID"),
    "an id with a line feed": ({"externalId": "a\nb"}, "TEXT_INVALID"),
    "an id with a zero-width space": ({"externalId": "O\u200b1"}, "TEXT_INVALID"),
    "a line id with a joiner": ({"lines": [line("cup", 1, lineId="1\u200d")]}, "TEXT_INVALID"),
    "an empty line id": ({"lines": [line("cup", 1, lineId="")]}, "TEXT_INVALID"),
    "a line id of 129 characters": ({"lines": [line("cup", 1, lineId="x" * 129)]}, "TEXT_INVALID"),
    "an empty product code": ({"lines": [line("", 1, lineId="1")]}, "TEXT_INVALID"),
    "a product code of 65 characters": ({"lines": [line("x" * 65, 1)]}, "TEXT_INVALID"),
    "a channel of 65 characters": ({"channel": "x" * 65}, "TEXT_INVALID"),
    "a shop of 129 characters": ({"shop": "店" * 129}, "TEXT_INVALID"),
    "a shop with an escape": ({"shop": "\x1b[31m"}, "TEXT_INVALID"),
    "nobody": ({"member": {"id": NOBODY}}, "MEMBER_NOT_FOUND"),
    "nobody's reference": ({"member": {"externalRef": ""}}, "MEMBER_NOT_FOUND"),
    "a long reference": ({"member": {"externalRef": "x" * 10_000}}, "MEMBER_NOT_FOUND"),
    "nobody's openid": (
        {"member": {"wechat": {"appId": "", "openId": "o\u202e🍵"}}},
        "MEMBER_NOT_FOUND",
    ),
}


async def test_each_is_rejected_for_its_own_reason_and_nothing_is_recorded(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    orders = [
        {**order(f"O{nth}", alice.member_id), **changes}
        for nth, (changes, _) in enumerate(BAD.values())
    ]
    before = await everything_kept()

    payload = await record(gateway, "bad", orders)

    assert payload["userErrors"] == []
    receipts = payload["batch"]["receipts"]
    assert {
        what: (one["status"], one["code"]) for what, one in zip(BAD, receipts, strict=True)
    } == {what: ("REJECTED", code) for what, (_, code) in BAD.items()}
    for sent, one in zip(orders, receipts, strict=True):
        assert (one["externalId"], one["orderId"], one["pointsEarned"]) == (
            sent["externalId"],
            None,
            0,
        )
    # The batch's own answer is all that is kept.
    assert changed(before, await everything_kept()) == {"idempotency"}
    again = await record(gateway, "bad", orders)
    assert again["batch"] == {**payload["batch"], "replayed": True}


# Texts that are strange, and sound.
STRANGE = {
    "emoji": "🍵👩🐈",
    "right to left": "مرحبا שלום",
    "SQL": "'); DROP TABLE purchase;--",
    "as long as may be": "店" * 64,
    "blanks": "  ",
}


async def test_strange_texts_are_recorded_as_they_are(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    orders = [
        order(text, alice.member_id, line(text, 100, lineId=text), channel=text, shop=f"{text}👩‍👧")
        for text in STRANGE.values()
    ]
    assert applied(await record(gateway, "店 🍵", orders)) == [1] * len(orders)
    query = "{ me { ledger { nodes { source { reference } } } } }"
    response = await gateway.ask(query, token=alice.access_token)
    found = [
        node["source"]["reference"] for node in response.json()["data"]["me"]["ledger"]["nodes"]
    ]
    assert found == list(STRANGE.values())[::-1]


async def test_points_are_exact_up_to_the_largest_number_and_never_beyond(
    gateway: Gateway,
) -> None:
    """A fen for a diamond earns ten points, so 2^53−1 is not reached by diamonds alone."""
    alice = await gateway.sign_in()
    most = LARGEST // 10
    assert most * 10 + 1 == LARGEST
    fill = order("fill", alice.member_id, line("diamond", most))
    assert applied(await record(gateway, "b-1", [fill])) == [LARGEST - 1]

    one, two = (order(f"{fen}", alice.member_id, line("cup", fen)) for fen in (100, 200))
    payload = await record(gateway, "b-2", [two, one])
    assert [(each["status"], each["code"]) for each in payload["batch"]["receipts"]] == [
        ("REJECTED", "POINTS_OUT_OF_RANGE"),
        ("APPLIED", None),
    ]
    payload = await record(gateway, "b-3", [order("last", alice.member_id, line("cup", 100))])
    assert payload["batch"]["receipts"][0]["code"] == "POINTS_OUT_OF_RANGE"

    query = "{ me { points { available } ledger { nodes { amount balanceAfter } } } }"
    me = (await gateway.ask(query, token=alice.access_token)).json()["data"]["me"]
    assert me["points"] == {"available": LARGEST}
    assert me["ledger"]["nodes"] == [
        {"amount": 1, "balanceAfter": LARGEST},
        {"amount": LARGEST - 1, "balanceAfter": LARGEST - 1},
    ]
    assert await verify_account(alice.member) == []
