"""`recordOrderNotices`: each notice once, and the member is told where the order is."""

from __future__ import annotations

from typing import Any, Final

import pytest

from api.workers.timelines import TELLING
from domain.access import CallerKind
from domain.members import timeline_consumer
from domain.notifications import notification_consumer
from domain.outbox import drain
from domain.purchases import NOTICES_SHOWN_MAX
from domain.storage import fetch_all, observed_statements
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import open_account
from tests.graphql.timelines import timeline

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECORD: Final = """mutation($input: RecordOrderNoticesInput!) { recordOrderNotices(input: $input) {
    batch { id replayed receipts { index externalId status code } }
    userErrors { code field } } }"""
ON_ITS_WAY: Final = """{ me { purchases { nodes {
    notices { kind at carrier number } } } } }"""


def notice(
    external_id: str, kind: str, *, order: str = "A", minute: int = 0, **changes: Any
) -> dict[str, Any]:
    """What happened to an order, half past eleven and so many minutes."""
    return {
        "externalId": external_id,
        "orderExternalId": order,
        "kind": kind,
        "at": f"2026-03-01T11:{30 + minute}:00Z",
        **changes,
    }


async def push(
    gateway: Gateway, batch_id: str, *notices: dict[str, Any], token: str | None = None
) -> Any:
    """The payload, sent by the shop."""
    given = {"batchId": batch_id, "notices": [*notices]}
    token = token or await gateway.shop()
    body = (await gateway.ask(RECORD, {"input": given}, token=token)).json()
    assert "errors" not in body, body
    return body["data"]["recordOrderNotices"]


def outcomes(payload: Any) -> list[tuple[str, str | None]]:
    assert payload["userErrors"] == []
    receipts = payload["batch"]["receipts"]
    assert [one["index"] for one in receipts] == list(range(len(receipts)))
    return [(one["status"], one["code"]) for one in receipts]


async def deliver(gateway: Gateway) -> None:
    """Hand over all that was announced, as the worker does."""
    consumers = [notification_consumer(), timeline_consumer(TELLING)]
    await drain(consumers, clock=gateway.clock.now)


async def inbox(gateway: Gateway, who: Session) -> list[tuple[str, str]]:
    body = (await gateway.ask(operation("Inbox"), token=who.access_token)).json()
    return [(one["kind"], one["body"]) for one in body["data"]["me"]["notifications"]["nodes"]]


async def notices(gateway: Gateway, who: Session) -> list[list[dict[str, Any]]]:
    body = (await gateway.ask(ON_ITS_WAY, token=who.access_token)).json()
    assert "errors" not in body, body
    return [one["notices"] for one in body["data"]["me"]["purchases"]["nodes"]]


async def bought(gateway: Gateway, *names: str) -> Session:
    alice = await gateway.sign_in()
    orders = [order(name, alice.member_id) for name in names]
    assert applied(await record(gateway, "orders", orders)) == [88] * len(names)
    return alice


async def test_a_member_is_told_where_the_order_is(gateway: Gateway) -> None:
    alice = await bought(gateway, "A")
    sent = notice("n-1", "SHIPPED", carrier="顺丰", number="SF1")
    assert await push(gateway, "b-1", sent) == {
        "batch": {
            "id": "b-1",
            "replayed": False,
            "receipts": [
                {"index": 0, "externalId": "n-1", "status": "APPLIED", "code": None},
            ],
        },
        "userErrors": [],
    }
    gateway.clock.advance(minutes=1)
    later = await push(gateway, "b-2", notice("n-2", "DELIVERED", minute=2))
    assert outcomes(later) == [("APPLIED", None)]
    for _ in range(2):
        await deliver(gateway)
        assert await inbox(gateway, alice) == [
            ("ORDER_DELIVERED", "您的订单 A 已送达。"),
            ("ORDER_SHIPPED", "您的订单 A 已发货。顺丰 SF1"),
        ]
    assert await notices(gateway, alice) == [
        [
            {"kind": "DELIVERED", "at": "2026-03-01T11:32:00Z", "carrier": None, "number": None},
            {"kind": "SHIPPED", "at": "2026-03-01T11:30:00Z", "carrier": "顺丰", "number": "SF1"},
        ]
    ]
    told = [(one["title"], one["occurredAt"]) for one in (await timeline(gateway, alice))["nodes"]]
    assert ("订单 A 已送达", "2026-03-01T11:32:00Z") in told
    assert ("订单 A 已发货", "2026-03-01T11:30:00Z") in told


async def test_what_comes_late_is_kept_and_not_told(gateway: Gateway) -> None:
    alice = await bought(gateway, "A", "B")
    batch = (
        notice("n-1", "OUT_FOR_DELIVERY", minute=5),
        notice("n-2", "SHIPPED", minute=1),
        notice("n-3", "DELIVERED", minute=9),
        # Of another order: its own way.
        notice("n-4", "TRANSFERRED", order="B", minute=1),
    )
    assert outcomes(await push(gateway, "b-1", *batch)) == [("APPLIED", None)] * 4
    last = await push(gateway, "b-2", notice("n-5", "DELIVERY_FAILED", minute=8))
    assert outcomes(last) == [("APPLIED", None)]
    await deliver(gateway)
    assert sorted(kind for kind, _ in await inbox(gateway, alice)) == [
        "ORDER_DELIVERED",
        "ORDER_OUT_FOR_DELIVERY",
        "ORDER_TRANSFERRED",
    ]
    assert sorted([one["kind"] for one in each] for each in await notices(gateway, alice)) == [
        ["DELIVERED", "DELIVERY_FAILED", "OUT_FOR_DELIVERY", "SHIPPED"],
        ["TRANSFERRED"],
    ]


async def test_no_more_notices_are_read_than_are_shown(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, many = await bought(gateway, "A", "B"), NOTICES_SHOWN_MAX + 5
    batch = [
        notice(f"{name}-{nth}", "TRANSFERRED", order=name, minute=nth % 29, number=str(nth))
        for name in ("A", "B")
        for nth in range(many)
    ]
    assert outcomes(await push(gateway, "b-1", *batch)) == [("APPLIED", None)] * len(batch)
    read = []

    async def counted(sql: str, *values: Any) -> Any:
        rows = await fetch_all(sql, *values)
        read.append(len(rows))
        return rows

    monkeypatch.setattr("domain.purchases.notices.fetch_all", counted)
    shown = await notices(gateway, alice)
    assert read == [2 * NOTICES_SHOWN_MAX]
    newest = sorted(range(many), key=lambda nth: (nth % 29, nth), reverse=True)
    assert [[int(one["number"]) for one in each] for each in shown] == [
        newest[:NOTICES_SHOWN_MAX]
    ] * 2


async def test_a_notice_counts_once_whatever_batch_it_comes_in(gateway: Gateway) -> None:
    alice = await bought(gateway, "A")
    batch = (
        notice("n-1", "SHIPPED"),
        notice("n-1", "SHIPPED"),
        notice("n-1", "DELIVERED"),
        notice("n-2", "TRANSFERRED", order="no such order"),
        notice("n-3", "TRANSFERRED", at="2026-03-01T12:05:01Z"),
        notice("", "TRANSFERRED"),
        notice("n-4", "TRANSFERRED", carrier="x" * 65),
    )
    expected = [
        ("APPLIED", None),
        ("DUPLICATE", None),
        ("REJECTED", "IDEMPOTENCY_CONFLICT"),
        ("REJECTED", "ORDER_UNKNOWN"),
        ("REJECTED", "FUTURE_DATED"),
        ("REJECTED", "TEXT_INVALID"),
        ("REJECTED", "TEXT_INVALID"),
    ]
    first = await push(gateway, "b-1", *batch)
    assert outcomes(first) == expected
    before = await everything_kept()
    again = await push(gateway, "b-1", *batch)
    assert (again["batch"].pop("replayed"), first["batch"].pop("replayed")) == (True, False)
    assert again == first
    refused = await push(gateway, "b-1", batch[0])
    assert refused["userErrors"] == [{"code": "IDEMPOTENCY_CONFLICT", "field": ["batchId"]}]
    for batch_id, count in (("b-0", 0), ("b-501", 501)):
        some = [notice(f"m-{nth}", "SHIPPED") for nth in range(count)]
        answer = await push(gateway, batch_id, *some)
        assert answer["userErrors"] == [{"code": "INVALID_INPUT", "field": ["notices"]}]
    assert changed(before, await everything_kept()) == set()
    # In a batch of its own the notice is known, and what was rejected may be sent again.
    other = await push(
        gateway, "b-2", batch[0], notice("n-1", "DELIVERED"), notice("n-2", "DELIVERED")
    )
    assert outcomes(other) == [
        ("DUPLICATE", None),
        ("REJECTED", "IDEMPOTENCY_CONFLICT"),
        ("APPLIED", None),
    ]
    await deliver(gateway)
    assert len(await inbox(gateway, alice)) == 2


async def test_another_shops_order_is_like_none(gateway: Gateway) -> None:
    alice = await bought(gateway, "A")
    other = gateway.named("other-shop")
    await open_account(CallerKind.SHOP, other, "purchases:write", now=NOW)
    token = await gateway.token_of(other)
    answer = await push(gateway, "b-1", notice("n-1", "DELIVERED"), token=token)
    assert outcomes(answer) == [("REJECTED", "ORDER_UNKNOWN")]
    await deliver(gateway)
    assert await inbox(gateway, alice) == []


async def test_a_batch_is_a_fixed_number_of_statements(gateway: Gateway) -> None:
    await bought(gateway, *(f"O-{nth}" for nth in range(40)))
    token, counts = await gateway.shop(), []
    for size in (2, 40):
        some = [
            notice(f"n-{size}-{nth}", "SHIPPED", order=f"O-{nth}", minute=size // 2)
            for nth in range(size)
        ]
        with observed_statements() as statements:
            answer = await push(gateway, f"b-{size}", *some, token=token)
        assert outcomes(answer) == [("APPLIED", None)] * size
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_notices_follow_the_record_that_has_the_order(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    applied(await record(gateway, "orders", [order("A", bob.member_id)]))
    await push(gateway, "b-1", notice("n-1", "SHIPPED"))
    made = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    # Announced of Bob and delivered after the merge: Alice is told, who has the record now.
    await push(gateway, "b-2", notice("n-2", "DELIVERED", minute=1))
    await deliver(gateway)
    assert {kind for kind, _ in await inbox(gateway, alice)} == {
        "ORDER_SHIPPED",
        "ORDER_DELIVERED",
    }
    [both] = await notices(gateway, alice)
    assert [one["kind"] for one in both] == ["DELIVERED", "SHIPPED"]
    await undone(gateway, {"mergeId": made["merge"]["id"]})
    # What was told of an order of Bob's meanwhile is Bob's again, with the order.
    [both] = await notices(gateway, await gateway.sign_in("o-bob"))
    assert [one["kind"] for one in both] == ["DELIVERED", "SHIPPED"]
    assert await notices(gateway, await gateway.sign_in("o-alice")) == []
