"""Rewards, addresses and coupons, as mini-programs and shops ask for them."""

from __future__ import annotations

from typing import Any

from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.points import token_of
from tests.graphql.programme import REWARDS

ADD_ADDRESS = """mutation($input: AddAddressInput!) { addAddress(input: $input) {
    address { id place { recipient phone region street postcode } }
    userErrors { code field ... on AddressLimitReached { limit } } } }"""


def reward_id(code: str) -> str:
    """The global id of a reward of the programme of these tests."""
    [found] = [one.id for one in REWARDS if one.code == code]
    return global_id("Reward", found)


async def answer(gateway: Gateway, document: str, token: str, **variables: Any) -> dict[str, Any]:
    """The value of the one root field of a document that is no planned operation."""
    body = (await gateway.ask(document, variables, token=token)).json()
    assert "errors" not in body, body
    [found] = body["data"].values()
    payload: dict[str, Any] = found
    return payload


async def keep(gateway: Gateway, session: Session, **changes: Any) -> str:
    """The id of an address that the member keeps."""
    given = {
        "recipient": "王小明",
        "phone": "+8613800138000",
        "region": "上海市静安区",
        "street": "南京西路 1 号",
        "postcode": "200040",
        "idempotencyKey": "home",
    } | changes
    token = await token_of(gateway, session)
    payload = await answer(gateway, ADD_ADDRESS, token, input=given)
    assert payload["userErrors"] == []
    address_id: str = payload["address"]["id"]
    return address_id


async def try_redeem(gateway: Gateway, session: Session, code: str, **changes: Any) -> Any:
    """The payload of `redeemReward`."""
    given = {"rewardId": reward_id(code), "idempotencyKey": f"redeem-{code}"} | changes
    token = await token_of(gateway, session)
    return await gateway.send("RedeemReward", token, input=given)


async def redeem(gateway: Gateway, session: Session, code: str, **changes: Any) -> Any:
    """A redemption that is made."""
    payload = await try_redeem(gateway, session, code, **changes)
    assert payload["userErrors"] == [], payload
    return payload["redemption"]


async def cancel(gateway: Gateway, session: Session, redemption_id: str, **changes: Any) -> Any:
    """The payload of `cancelRedemption`."""
    given = {"redemptionId": redemption_id, "idempotencyKey": "cancel-1"} | changes
    token = await token_of(gateway, session)
    return await gateway.send("CancelRedemption", token, input=given)


async def reserve(
    gateway: Gateway, code: str, order: str = "order-1", amount: int = 10_000, **changes: Any
) -> Any:
    """The payload of `reserveCoupon`, sent by the shop."""
    given = {
        "code": code,
        "orderReference": order,
        "amount": amount,
        "idempotencyKey": f"reserve-{order}",
    } | changes
    return await gateway.send("ReserveCoupon", await gateway.shop(), input=given)


async def end(
    gateway: Gateway, verb: str, code: str, order: str = "order-1", **changes: Any
) -> Any:
    """The payload of `confirmCoupon` or `releaseCoupon`, sent by the shop."""
    given = {"code": code, "orderReference": order, "idempotencyKey": f"{verb}-{order}"} | changes
    return await gateway.send(f"{verb}Coupon", await gateway.shop(), input=given)
