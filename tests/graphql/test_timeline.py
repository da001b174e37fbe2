"""The timeline: what every context told of a member, newest first, in one list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.workers.timelines import TELLING
from domain import rewards
from domain.members import timeline_consumer
from domain.outbox import stream
from domain.rewards import ShipRedemption
from domain.storage import fetch_all, observed_statements
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import Gateway, Session, cursor, plain_id
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import line, order, record
from tests.graphql.points import earn, transfer
from tests.graphql.redeeming import cancel, end, keep, redeem, reserve
from tests.graphql.test_member_notes import add_note
from tests.graphql.test_set_consent import say
from tests.graphql.timelines import keep_timelines, staff_timeline, timeline

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def bought(
    gateway: Gateway, session: Session, name: str, *, days_ago: int, yuan: int
) -> None:
    placed_at = (gateway.clock.now() - timedelta(days=days_ago)).isoformat()
    bag = order(
        name,
        session.member_id,
        line("bag", 100 * yuan),
        placedAt=placed_at,
        channel="mini-program",
        shop="静安店",
    )
    await record(gateway, name, [bag])


def told(page: Any) -> list[tuple[str, str, str, str | None]]:
    return [
        (node["kind"], node["title"], node["occurredAt"], node["channel"]) for node in page["nodes"]
    ]


async def test_a_life_is_told_in_the_order_in_which_it_was_lived(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    assert (await timeline(gateway, alice))["nodes"] == []
    await bought(gateway, alice, "A", days_ago=3, yuan=88)
    await bought(gateway, alice, "B", days_ago=30, yuan=1_000)
    gateway.clock.advance(seconds=60)
    await say(gateway, alice, "marketing", granted=True)
    gateway.clock.advance(seconds=60)
    await say(gateway, alice, "marketing", granted=False)
    gateway.clock.advance(seconds=60)
    await transfer(gateway, alice, bob)
    await keep_timelines(gateway)

    page = await timeline(gateway, alice)
    items = told(page)
    assert items[:3] == [
        ("POINTS_TRANSFER_OUT", "转赠 30 积分", "2026-03-01T12:03:00Z", None),
        ("CONSENT_WITHDRAWN", "撤回授权：marketing", "2026-03-01T12:02:00Z", None),
        ("CONSENT_GRANTED", "同意授权：marketing", "2026-03-01T12:01:00Z", None),
    ]
    # What was at one moment stands in the order of the ids, which say nothing.
    assert set(items[3:5]) == {
        ("LEVEL_CHANGED", "等级变为白银会员", "2026-03-01T12:00:00Z", None),
        ("JOINED", "成为会员", "2026-03-01T12:00:00Z", None),
    }
    assert set(items[5:7]) == {
        ("PURCHASE", "消费 88.00 CNY · 静安店", "2026-02-26T12:00:00Z", "mini-program"),
        ("POINTS_EARN", "获得 88 积分", "2026-02-26T12:00:00Z", None),
    }
    assert set(items[7:]) == {
        ("PURCHASE", "消费 1000.00 CNY · 静安店", "2026-01-30T12:00:00Z", "mini-program"),
        ("POINTS_EARN", "获得 1000 积分", "2026-01-30T12:00:00Z", None),
    }
    assert page["pageInfo"]["hasNextPage"] is False
    ids = [plain_id(node["id"]) for node in page["nodes"]]
    assert len(set(ids)) == 9
    assert all(id.startswith(f"TimelineItem:{alice.member}:") for id in ids)
    others = told(await timeline(gateway, bob))
    assert [kind for kind, *_ in others] == ["POINTS_TRANSFER_IN", "JOINED"]


async def test_titles_are_told_in_the_language_of_the_request(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await bought(gateway, alice, "A", days_ago=1, yuan=1_088)
    await transfer(gateway, alice, bob)
    await keep_timelines(gateway)
    response = await gateway.ask(operation("Timeline"), token=alice.access_token, language="en")
    assert {node["title"] for node in response.json()["data"]["me"]["timeline"]["nodes"]} == {
        "Became a member",
        "Bought for 1088.00 CNY · 静安店",
        "Earned 1088 points",
        "Level is now Silver",
        "Gave 30 points away",
    }


async def test_what_points_bought_is_told_without_an_address_or_an_order(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 200)
    for step in (_coupon_used, _gift_sent, _taken_back):
        gateway.clock.advance(seconds=60)
        await step(gateway, alice)
    await keep_timelines(gateway)
    page = await timeline(gateway, alice)
    of_rewards = [one for one in told(page) if one[0].split("_")[0] in BOUGHT]
    assert sorted(of_rewards, key=lambda one: (one[2], one[0])) == [
        ("COUPON_USED", "使用优惠券：coupon 奖励", "2026-03-01T12:01:00Z", None),
        ("REWARD_REDEEMED", "兑换coupon 奖励", "2026-03-01T12:01:00Z", None),
        ("REDEMPTION_DELIVERED", "gift 奖励已送达", "2026-03-01T12:02:00Z", None),
        ("REDEMPTION_SHIPPED", "gift 奖励已寄出", "2026-03-01T12:02:00Z", None),
        ("REWARD_REDEEMED", "兑换gift 奖励", "2026-03-01T12:02:00Z", None),
        ("REDEMPTION_CANCELLED", "取消兑换coupon 奖励", "2026-03-01T12:03:00Z", None),
        ("REWARD_REDEEMED", "兑换coupon 奖励 ×2", "2026-03-01T12:03:00Z", None),
    ]
    rows = await fetch_all("SELECT facts FROM timeline_item WHERE member_id = $1", alice.member)
    kept = "".join(str(row["facts"]) for row in rows)
    assert '"discount_fen":1000' in kept.replace(" ", "")
    for secret in ("南京西路", "王小明", "13800138000", "order-1", "顺丰", "SF-1"):
        assert secret not in kept, secret


BOUGHT = {"COUPON", "REWARD", "REDEMPTION"}


async def _coupon_used(gateway: Gateway, session: Session) -> None:
    found = await redeem(gateway, session, "coupon")
    [coupon] = found["coupons"]
    name = gateway.named("order-1")
    await reserve(gateway, coupon["code"], name)
    used = await end(gateway, "Confirm", coupon["code"], name)
    assert used["coupon"]["status"] == "USED"


async def _gift_sent(gateway: Gateway, session: Session) -> None:
    home = await keep(gateway, session)
    found = await redeem(gateway, session, "gift", addressId=home)
    redemption_id = UUID(plain_id(found["id"]).split(":")[-1])
    sent = ShipRedemption(
        member_id=session.member, redemption_id=redemption_id, carrier="顺丰", number="SF-1"
    )
    now = gateway.clock.now()
    await rewards.ship_redemption(sent, by=OPERATOR, now=now)
    await rewards.deliver_redemption(
        session.member, redemption_id=redemption_id, by=OPERATOR, now=now
    )


async def _taken_back(gateway: Gateway, session: Session) -> None:
    found = await redeem(gateway, session, "coupon", idempotencyKey="two", quantity=2)
    assert (await cancel(gateway, session, found["id"]))["redemption"]["status"] == "CANCELLED"


async def test_pages_follow_each_other_without_gap_or_repetition(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    # All placed at one moment, so that the ids alone order them.
    for number in range(6):
        await bought(gateway, alice, f"P{number}", days_ago=2, yuan=10)
    await keep_timelines(gateway)
    whole = await timeline(gateway, alice, first=100)
    assert len(whole["nodes"]) == 13
    for size in (1, 5, 12):
        found: list[Any] = []
        after, statements_each = None, set()
        while True:
            with observed_statements() as statements:
                page = await timeline(gateway, alice, first=size, after=after)
            statements_each.add(sum("timeline_item" in sql for sql in statements))
            found += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert found == whole["nodes"]
        assert statements_each == {1}


async def test_what_is_told_again_is_one_item(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await bought(gateway, alice, "A", days_ago=2, yuan=10)
    await keep_timelines(gateway)
    before = await everything_kept()
    events = [one for one in await stream(alice.member, after=0, limit=100) if one.kind in TELLING]
    assert len(events) == 3
    # A worker that died after the effect leaves its events to be handed over again.
    consumer = timeline_consumer(TELLING)
    await consumer.handle(events)
    await consumer.handle(list(reversed(events)))
    assert await everything_kept() == before


async def test_reading_the_timeline_changes_nothing_and_has_no_etag(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await keep_timelines(gateway)
    before = await everything_kept()
    parameters = {"query": "{ me { timeline { nodes { kind } } } }"}
    headers = {"authorization": f"Bearer {alice.access_token}"}
    response = await gateway.http.get("/graphql", params=parameters, headers=headers)
    assert "etag" not in response.headers, "it grows a moment after the event that a tag counts"
    assert await everything_kept() == before


async def test_a_cursor_of_another_list_is_refused(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    for bad in ("x", cursor('["entries",1]'), cursor('["timeline","2026-03-01",1]')):
        response = await gateway.ask(
            operation("Timeline"), {"after": bad}, token=alice.access_token
        )
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "BAD_CURSOR"


async def test_staff_sees_the_notes_too_and_the_member_does_not(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    gateway.clock.advance(seconds=1)
    before = await everything_kept()
    await add_note(gateway, alice.member_id, "对坚果过敏")
    assert "outbox" not in changed(before, await everything_kept()), "no event tells of a note"
    await keep_timelines(gateway)
    assert await staff_timeline(gateway, alice) == [
        ("NOTE_ADDED", "员工备注"),
        ("JOINED", "成为会员"),
    ]
    assert await staff_timeline(gateway, alice, language="en") == [
        ("NOTE_ADDED", "Staff wrote a note"),
        ("JOINED", "Became a member"),
    ]
    assert [kind for kind, *_ in told(await timeline(gateway, alice))] == ["JOINED"]
