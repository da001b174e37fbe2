"""`Inbox` and `MarkNotificationsRead`: what a member was told, page by page, and what is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import pytest

from domain import storage
from domain.notifications import Notification, hearing, notification_consumer, notify
from domain.outbox import Announced, drain, stream
from tests.graphql.gateway import NOW, Gateway, Session, global_id, plain_id
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import earn
from tests.graphql.redeeming import answer, keep, redeem

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE: Final = """query($first: Int, $after: String) { me { unreadCount
    notifications(first: $first, after: $after) {
        nodes { id title createdAt } pageInfo { hasNextPage endCursor } } } }"""
NODE: Final = """query($id: ID!) { node(id: $id) { __typename id
    ... on Notification { title body readAt } } }"""
UNREAD: Final = "{ me { unreadCount } }"


async def tell(
    gateway: Gateway, who: Session, kind: str = "LEVEL_REACHED", **facts: object
) -> None:
    """Tell a member something, at the moment of the gateway's clock."""
    one = Notification(member_id=who.member, kind=kind, facts=facts or {"level": "silver"})
    await storage.transaction(partial(notify, [one], now=gateway.clock.now()))


async def inbox(gateway: Gateway, who: Session, *, language: str = "zh") -> Any:
    """The notifications of the planned operation, newest first."""
    response = await gateway.ask(operation("Inbox"), token=who.access_token, language=language)
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["me"]["notifications"]


async def mark(gateway: Gateway, who: Session, **given: Any) -> Any:
    return await gateway.send("MarkNotificationsRead", who.access_token, input=given)


async def ask(gateway: Gateway, who: Session, query: str, **variables: Any) -> Mapping[str, Any]:
    body = (await gateway.ask(query, variables, token=who.access_token)).json()
    assert "errors" not in body, body
    data: Mapping[str, Any] = body["data"]
    return data


async def test_an_inbox_is_worded_in_the_language_of_who_reads(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    assert await inbox(gateway, alice) == {
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "endCursor": None},
    }
    await tell(gateway, alice)
    gateway.clock.advance(seconds=1)
    refund = {"amount_fen": 1_250, "currency": "CNY", "points_taken": 12}
    await tell(gateway, alice, "PURCHASE_REFUNDED", **refund)
    # What is told from a later version, or of which something is missing, still says something.
    gateway.clock.advance(seconds=1)
    await tell(gateway, alice, "SOMETHING_NEW", words="x")
    gateway.clock.advance(seconds=1)
    await tell(gateway, alice, "LEVEL_AT_RISK", level="gone", keep_until="soon")

    def shown(found: Any) -> list[tuple[Any, ...]]:
        return [
            tuple(node[name] for name in ("kind", "title", "body", "link", "readAt", "createdAt"))
            for node in found["nodes"]
        ]

    at = "2026-03-01T12:00:0{}Z".format
    assert shown(await inbox(gateway, alice)) == [
        (
            "LEVEL_AT_RISK",
            "gone即将到期",
            "您的gone有效期至 ，请及时保级。",
            "/levels",
            None,
            at(3),
        ),
        ("SOMETHING_NEW", "新消息", "", None, None, at(2)),
        (
            "PURCHASE_REFUNDED",
            "退款 12.50 CNY",
            "已为您退款 12.50 CNY，同时收回 12 积分。",
            "/orders",
            None,
            at(1),
        ),
        (
            "LEVEL_REACHED",
            "恭喜升级为白银会员",
            "您已成为白银会员，新的权益已经生效。",
            "/levels",
            None,
            at(0),
        ),
    ]
    assert [(one[1], one[2]) for one in shown(await inbox(gateway, alice, language="en"))] == [
        ("gone is about to end", "Your level gone is yours until ."),
        ("A message", ""),
        (
            "You were refunded 12.50 CNY",
            "12.50 CNY was given back to you; 12 points went with it.",
        ),
        ("You reached Silver", "You are Silver now, with all that comes with it."),
    ]


async def test_an_inbox_is_read_page_by_page(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    for nth in range(7):
        # Several of one moment, in the order of their telling.
        gateway.clock.moment = NOW.replace(second=nth // 3)
        await tell(gateway, alice, "TICKET_ANSWERED", number=f"T-{nth}")
    pages, after = [], None
    for _ in range(3):
        me = (await ask(gateway, alice, PAGE, first=3, after=after))["me"]
        assert me["unreadCount"] == 7
        found = me["notifications"]
        pages.append([node["title"] for node in found["nodes"]])
        assert found["pageInfo"]["hasNextPage"] is (len(pages) < 3)
        after = found["pageInfo"]["endCursor"]
        # What is told meanwhile shifts nothing of what follows.
        gateway.clock.advance(minutes=1)
    assert pages == [
        [f"您的反馈 T-{nth} 有新回复" for nth in page] for page in ([6, 5, 4], [3, 2, 1], [0])
    ]
    with storage.observed_statements() as statements:
        await ask(gateway, alice, PAGE, first=7)
    few = len(statements)
    with storage.observed_statements() as statements:
        await ask(gateway, alice, PAGE, first=1)
    assert len(statements) == few, "a longer page is no further statement"


async def test_what_is_read_is_marked_once(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    for nth in range(4):
        gateway.clock.moment = NOW.replace(second=nth)
        await tell(gateway, alice, "TICKET_ANSWERED", number=f"T-{nth}")
    newest, second, third, oldest = [node["id"] for node in (await inbox(gateway, alice))["nodes"]]
    gateway.clock.moment = NOW.replace(minute=1)
    first = await mark(gateway, alice, ids=[third, third])
    assert first == {"unreadCount": 3, "userErrors": []}
    gateway.clock.advance(minutes=1)
    before = await everything_kept()
    assert await mark(gateway, alice, ids=[third]) == first
    assert changed(before, await everything_kept()) == set()
    # Before, and not at, the moment.
    assert (await mark(gateway, alice, allBefore="2026-03-01T12:00:02Z"))["unreadCount"] == 2
    assert (await mark(gateway, alice, ids=[newest]))["unreadCount"] == 1
    read = {node["id"]: node["readAt"] for node in (await inbox(gateway, alice))["nodes"]}
    assert read == {
        newest: "2026-03-01T12:02:00Z",
        second: None,
        third: "2026-03-01T12:01:00Z",
        oldest: "2026-03-01T12:02:00Z",
    }
    assert (await ask(gateway, alice, UNREAD))["me"] == {"unreadCount": 1}


async def test_what_is_not_the_members_is_like_none(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await tell(gateway, alice)
    await tell(gateway, bob)
    [mine] = [node["id"] for node in (await inbox(gateway, alice))["nodes"]]
    [theirs] = [node["id"] for node in (await inbox(gateway, bob))["nodes"]]
    nobodys = global_id("Notification", f"{alice.member}:{UUID(int=7)}")
    not_bobs = global_id("Notification", f"{bob.member}:{plain_id(mine).rpartition(':')[2]}")
    before = await everything_kept()
    for given, code, field in (
        ({"ids": [mine, theirs]}, "NOTIFICATION_UNKNOWN", ["ids", "1"]),
        ({"ids": [nobodys]}, "NOTIFICATION_UNKNOWN", ["ids", "0"]),
        ({"ids": [not_bobs]}, "NOTIFICATION_UNKNOWN", ["ids", "0"]),
        ({"ids": []}, "INVALID_INPUT", ["ids"]),
        ({"ids": [mine] * 101}, "INVALID_INPUT", ["ids"]),
        ({"ids": [theirs] * 101}, "INVALID_INPUT", ["ids"]),
        ({}, "INVALID_INPUT", ["ids"]),
        ({"ids": [mine], "allBefore": "2027-01-01T00:00:00Z"}, "INVALID_INPUT", ["ids"]),
    ):
        query = """mutation($input: MarkNotificationsReadInput!) {
            markNotificationsRead(input: $input) { unreadCount userErrors { code field } } }"""
        answer = (await ask(gateway, alice, query, input=given))["markNotificationsRead"]
        assert answer == {"unreadCount": None, "userErrors": [{"code": code, "field": field}]}
    assert changed(before, await everything_kept()) == set()
    assert (await ask(gateway, alice, NODE, id=theirs))["node"] is None
    assert (await ask(gateway, alice, NODE, id=mine))["node"] == {
        "__typename": "Notification",
        "id": mine,
        "title": "恭喜升级为白银会员",
        "body": "您已成为白银会员，新的权益已经生效。",
        "readAt": None,
    }


async def test_an_inbox_goes_over_with_its_record_and_back(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await tell(gateway, bob)
    [was_bobs] = [node["id"] for node in (await inbox(gateway, bob))["nodes"]]
    made = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    [node] = (await inbox(gateway, alice))["nodes"]
    assert node["title"] == "恭喜升级为白银会员"
    # The id that Bob had of it leads to it still, also to mark it.
    assert (await ask(gateway, alice, NODE, id=was_bobs))["node"]["id"] == node["id"]
    assert (await mark(gateway, alice, ids=[was_bobs]))["unreadCount"] == 0
    await undone(gateway, {"mergeId": made["merge"]["id"]})
    assert (await inbox(gateway, await gateway.sign_in("o-alice")))["nodes"] == []
    [node] = (await inbox(gateway, await gateway.sign_in("o-bob")))["nodes"]
    assert node["readAt"] == "2026-03-01T12:00:00Z"


SHIP: Final = """mutation($input: ShipRedemptionInput!) { shipRedemption(input: $input) {
    redemption { status } userErrors { code } } }"""
DELIVER: Final = """mutation($input: DeliverRedemptionInput!) { deliverRedemption(input: $input) {
    redemption { status } userErrors { code } } }"""


async def test_a_gift_on_its_way_is_told_once_to_whom_it_belongs(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, bob, 100)
    gift = await redeem(gateway, bob, "gift", addressId=await keep(gateway, bob))
    staff = await gateway.staff()
    sent = {"redemptionId": gift["id"], "carrier": "SF", "number": "SF1"}
    assert (await answer(gateway, SHIP, staff, input=sent))["userErrors"] == []
    await drain([notification_consumer()], clock=gateway.clock.now)
    assert [one["title"] for one in (await inbox(gateway, bob))["nodes"]] == ["gift 奖励已寄出"]
    gateway.clock.advance(minutes=1)
    gone = {"redemptionId": gift["id"]}
    assert (await answer(gateway, DELIVER, staff, input=gone))["userErrors"] == []
    # Announced of Bob, and heard only when the record is Alice's.
    await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    events = await stream(bob.member, after=0, limit=100)
    for _ in range(2):
        # Handed over again, from the very beginning, by whoever died before it was noted.
        heard = [one for one in events if notification_consumer().wants(one)]
        assert [one.kind for one in heard] == ["RedemptionShipped", "RedemptionDelivered"]
        await notification_consumer().handle(heard)
        assert [one["title"] for one in (await inbox(gateway, alice))["nodes"]] == [
            "gift 奖励已送达",
            "gift 奖励已寄出",
        ]


async def test_a_consumer_that_marks_nothing_is_found(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: what is handed over twice would be told twice."""

    async def always(name: str, events: Sequence[Announced], work: Any) -> int:
        await work(events)
        return len(events)

    monkeypatch.setattr(hearing, "consume_once", always)
    with pytest.raises(AssertionError):
        await test_a_gift_on_its_way_is_told_once_to_whom_it_belongs(gateway)
