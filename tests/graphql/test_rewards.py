"""Rewards over the API: listed, redeemed, cancelled, with what members and shops are told."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from domain.ledger import verify_account
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import balance, codes, earn, journal, refused, token_of
from tests.graphql.redeeming import (
    answer,
    cancel,
    end,
    keep,
    redeem,
    reserve,
    reward_id,
    try_redeem,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(name="alice", loop_scope="module")
async def _alice(gateway: Gateway) -> Session:
    """Somebody with a hundred points."""
    session = await gateway.sign_in()
    await earn(gateway, session, 100)
    return session


async def test_rewards_are_for_everyone_to_see(gateway: Gateway) -> None:
    page = await gateway.send("Rewards", first=3)
    assert page["nodes"][0] == {
        "id": reward_id("coupon"),
        "title": "coupon 奖励",
        "description": "说明",
        "imageUrl": None,
        "kind": "COUPON",
        "pointsPrice": 10,
        "stock": None,
        "levelRequired": None,
        "endsAt": None,
    }
    assert page["nodes"][2]["levelRequired"] == {"code": "gold", "name": "黄金会员"}
    rest = await gateway.send("Rewards", first=3, after=page["pageInfo"]["endCursor"])
    assert [one["title"][:4] for one in rest["nodes"]] == ["gone", "box ", "tent"]
    assert rest["nodes"][1]["endsAt"] == "2028-01-01T00:00:00Z"
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_a_coupon_is_redeemed_used_and_shown(gateway: Gateway, alice: Session) -> None:
    found = await redeem(gateway, alice, "coupon")
    [coupon] = found["coupons"]
    assert (found["status"], found["pointsSpent"]) == ("FULFILLED", 10)
    assert (coupon["title"], coupon["expiresAt"]) == ("coupon 奖励", "2026-03-31T16:00:00Z")
    entry = found["entry"]
    assert (entry["amount"], entry["balanceAfter"]) == (-10, 90)
    assert [lot["points"] for lot in entry["lots"]] == [10]
    payload = await reserve(gateway, coupon["code"])
    assert payload == {
        "coupon": {
            "id": coupon["id"],
            "status": "RESERVED",
            "discount": {"amount": 1_000, "currency": "CNY"},
        },
        "userErrors": [],
    }
    assert (await end(gateway, "Confirm", coupon["code"]))["coupon"]["status"] == "USED"
    wallet = await gateway.send("Coupons", alice.access_token, status="USED")
    assert wallet["coupons"]["nodes"] == [
        {**coupon, "status": "USED", "terms": "满 20 元可用"},
    ]
    assert refused(await cancel(gateway, alice, found["id"]))["code"] == (
        "REDEMPTION_NOT_CANCELLABLE"
    )


async def test_a_redemption_sent_again_is_answered_byte_for_byte(
    gateway: Gateway, alice: Session
) -> None:
    variables = {"input": {"rewardId": reward_id("gift"), "idempotencyKey": "g"}}
    document, token = operation("RedeemReward"), alice.access_token
    first = await gateway.ask(document, variables, token=token)
    redemption_id = first.json()["data"]["redeemReward"]["redemption"]["id"]
    cancelling = {"input": {"redemptionId": redemption_id, "idempotencyKey": "c"}}
    gone = await gateway.ask(operation("CancelRedemption"), cancelling, token=token)
    before = await everything_kept()
    again = await gateway.ask(document, variables, token=token)
    assert again.content == first.content
    once_more = await gateway.ask(operation("CancelRedemption"), cancelling, token=token)
    assert once_more.content == gone.content
    assert await everything_kept() == before


async def test_what_is_cancelled_comes_back(gateway: Gateway, alice: Session) -> None:
    coupon = await redeem(gateway, alice, "coupon", quantity=2)
    payload = await cancel(gateway, alice, coupon["id"])
    assert payload["redemption"] == {"id": coupon["id"], "status": "CANCELLED"}
    assert (payload["entry"]["amount"], payload["entry"]["balanceAfter"]) == (20, 100)
    assert await journal(gateway, alice) == [
        ("REVERSAL", 20, 100),
        ("REDEEM", -20, 80),
        ("EARN", 100, 100),
    ]
    assert (await balance(gateway, alice))["available"] == 100
    revoked = await gateway.send("Coupons", alice.access_token, status="REVOKED")
    assert len(revoked["coupons"]["nodes"]) == 2
    [code] = {one["code"] for one in revoked["coupons"]["nodes"][:1]}
    assert codes(await reserve(gateway, code)) == ["COUPON_REVOKED"]
    assert await verify_account(alice.member) == []


SHIP = """mutation($input: ShipRedemptionInput!) { shipRedemption(input: $input) {
    redemption { id status shipment { status carrier number } } userErrors { code } } }"""
DELIVER = """mutation($input: DeliverRedemptionInput!) { deliverRedemption(input: $input) {
    redemption { id status } userErrors { code } } }"""
ADDRESS = """mutation($input: SetRedemptionAddressInput!) { setRedemptionAddress(input: $input) {
    redemption { status shipment { place { phone street } } } userErrors { code } } }"""
QUEUE = """query($status: RedemptionStatus!) { staff { redemptions(status: $status, first: 100) {
    nodes { id memberId quantity recipientPhone reward { code } shipment { place { street } } }
} } }"""


async def queue(gateway: Gateway, status: str, redemption_id: str) -> list[dict[str, Any]]:
    """The redemption as staff sees it who look for those that stand so."""
    found = await answer(gateway, QUEUE, await gateway.staff(), status=status)
    return [one for one in found["redemptions"]["nodes"] if one["id"] == redemption_id]


async def test_a_gift_goes_its_way(gateway: Gateway, alice: Session) -> None:
    found = await redeem(gateway, alice, "gift")
    assert (found["status"], found["coupons"]) == ("AWAITING_ADDRESS", [])
    home = await keep(gateway, alice)
    given = {"redemptionId": found["id"], "addressId": home}
    placed = await answer(gateway, ADDRESS, alice.access_token, input=given)
    assert placed["redemption"] == {
        "status": "PLACED",
        "shipment": {"place": {"phone": "+86138****8000", "street": "南京西路 1 号"}},
    }
    assert await queue(gateway, "AWAITING_ADDRESS", found["id"]) == []
    assert await queue(gateway, "PLACED", found["id"]) == [
        {
            "id": found["id"],
            "memberId": alice.member_id,
            "quantity": 1,
            "recipientPhone": "+8613800138000",
            "reward": {"code": "gift"},
            "shipment": {"place": {"street": "南京西路 1 号"}},
        }
    ]
    staff = await gateway.staff()
    sent = {"redemptionId": found["id"], "carrier": "顺丰", "number": "SF1"}
    parcel = {"status": "SHIPPED", "carrier": "顺丰", "number": "SF1"}
    shipped = await answer(gateway, SHIP, staff, input=sent)
    assert shipped["redemption"] == {"id": found["id"], "status": "SHIPPED", "shipment": parcel}
    gone = {"redemptionId": found["id"]}
    assert codes(await answer(gateway, DELIVER, staff, input=gone)) == []
    page = await gateway.send("Redemptions", alice.access_token)
    assert page["redemptions"]["nodes"] == [
        {
            "id": found["id"],
            "status": "DELIVERED",
            "pointsSpent": 20,
            "redeemedAt": "2026-03-01T12:00:00Z",
            "reward": {"id": reward_id("gift"), "title": "gift 奖励"},
            "shipment": {**parcel, "status": "DELIVERED"},
        }
    ]
    assert codes(await answer(gateway, ADDRESS, alice.access_token, input=given)) == [
        "REDEMPTION_NOT_OPEN"
    ]


async def test_addresses_are_listed_and_forgotten(gateway: Gateway, alice: Session) -> None:
    home = await keep(gateway, alice)
    token = alice.access_token
    listed = "{ me { addresses { id place { recipient phone postcode } } } }"
    assert (await answer(gateway, listed, token))["addresses"] == [
        {
            "id": home,
            "place": {"recipient": "王小明", "phone": "+86138****8000", "postcode": "200040"},
        }
    ]
    remove = """mutation($input: RemoveAddressInput!) { removeAddress(input: $input) {
        removedId userErrors { code } } }"""
    bob = await gateway.sign_in("o-bob")
    given = {"addressId": home}
    assert codes(await answer(gateway, remove, bob.access_token, input=given)) == [
        "ADDRESS_UNKNOWN"
    ]
    assert (await answer(gateway, remove, token, input=given))["removedId"] == home
    assert codes(await answer(gateway, remove, token, input=given)) == ["ADDRESS_UNKNOWN"]


BAD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("gone", {}, {"code": "OUT_OF_STOCK", "field": ["quantity"], "left": 0}),
    (
        "seat",
        {},
        {
            "code": "LEVEL_TOO_LOW",
            "field": ["rewardId"],
            "message": "该奖励仅限更高等级的会员兑换",
            "required": {"code": "gold", "name": "黄金会员"},
        },
    ),
    ("box", {}, {"code": "LEVEL_TOO_LOW", "required": {"code": "silver", "name": "白银会员"}}),
    (
        "gift",
        {"quantity": 6},
        {"code": "INSUFFICIENT_POINTS", "available": 100, "requested": 120, "shortfall": 20},
    ),
    ("gift", {"quantity": 0}, {"code": "INVALID_INPUT", "field": ["quantity"]}),
    ("gift", {"idempotencyKey": ""}, {"code": "INVALID_INPUT", "field": ["idempotencyKey"]}),
]


@pytest.mark.parametrize(("code", "changes", "told"), BAD, ids=str)
async def test_a_refusal_tells_why_and_changes_nothing(
    gateway: Gateway, alice: Session, code: str, changes: dict[str, Any], told: dict[str, Any]
) -> None:
    before = await everything_kept()
    error = refused(await try_redeem(gateway, alice, code, **changes))
    assert {name: error[name] for name in told} == told
    assert await everything_kept() == before


async def test_what_is_anothers_is_like_nothing(gateway: Gateway, alice: Session) -> None:
    found = await redeem(gateway, alice, "gift")
    bob = await gateway.sign_in("o-bob")
    home = await keep(gateway, alice)
    await earn(gateway, bob, 100)
    assert codes(await cancel(gateway, bob, found["id"])) == ["REDEMPTION_UNKNOWN"]
    assert codes(await try_redeem(gateway, bob, "gift", addressId=home)) == ["ADDRESS_UNKNOWN"]
    given = {"redemptionId": found["id"], "addressId": home}
    assert codes(await answer(gateway, ADDRESS, bob.access_token, input=given)) == [
        "REDEMPTION_UNKNOWN"
    ]
    token = await token_of(gateway, bob)
    node = await gateway.ask(
        "query($id: ID!) { node(id: $id) { id } }", {"id": found["id"]}, token=token
    )
    assert node.json() == {"data": {"node": None}}


DEFINE = """mutation($input: DefineRewardInput!) { defineReward(input: $input) {
    reward { id version code coupon { amountOff permilleOff discountMax days stacks } }
    userErrors { code field } } }"""
CHANGE = """mutation($input: ChangeRewardInput!) { changeReward(input: $input) {
    reward { version pointsPrice stock perMember title }
    userErrors { code field ... on RewardChanged { version } } } }"""


async def test_staff_defines_and_changes_rewards(gateway: Gateway) -> None:
    staff, code = await gateway.staff(), gateway.named("tea")
    given = {
        "code": code,
        "kind": "COUPON",
        "titleZh": "茶券",
        "titleEn": "Tea coupon",
        "pointsPrice": 900,
        "stock": 3,
        "coupon": {"permilleOff": 100, "discountMax": 500, "days": 7, "stacks": True},
    }
    made = await answer(gateway, DEFINE, staff, input=given)
    assert made["reward"] == {
        "id": made["reward"]["id"],
        "version": 1,
        "code": code,
        "coupon": {
            "amountOff": None,
            "permilleOff": 100,
            "discountMax": 500,
            "days": 7,
            "stacks": True,
        },
    }
    assert await answer(gateway, DEFINE, staff, input=given) == made
    assert codes(await answer(gateway, DEFINE, staff, input=given | {"pointsPrice": 1})) == [
        "REWARD_EXISTS"
    ]
    changes = {"rewardId": made["reward"]["id"], "version": 1, "stock": None, "perMember": 2}
    changed = await answer(gateway, CHANGE, staff, input=changes)
    assert changed["reward"] == {
        "version": 2,
        "pointsPrice": 900,
        "stock": None,
        "perMember": 2,
        "title": "茶券",
    }
    late = await answer(gateway, CHANGE, staff, input=changes)
    assert late["userErrors"] == [{"code": "REWARD_CHANGED", "field": ["version"], "version": 2}]
    null = await answer(gateway, CHANGE, staff, input=changes | {"version": 2, "titleZh": None})
    assert null["userErrors"] == [{"code": "INVALID_INPUT", "field": ["titleZh"]}]
    both = given | {"code": "both", "coupon": {"permilleOff": 1, "amountOff": 1}}
    assert codes(await answer(gateway, DEFINE, staff, input=both)) == ["INVALID_INPUT"]
