"""What staff is told: why a member sees a product, what hides it, and which models there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import audit, catalogue
from domain.access import StaffRole
from domain.paging import PageRequest
from domain.storage import observed_statements
from tests.graphql import conftest
from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.programme import CLERK, PRODUCTS
from tests.graphql.tasting import (
    POT,
    SETTINGS,
    a_crowd,
    agreeing,
    buys,
    product_id,
    shown,
    trained,
)
from tests.graphql.test_set_consent import say

gateway = conftest.own_gateway

TEA, CUP, BAG, DIAMOND = PRODUCTS

WHY = """
query($by: MemberRef!, $product: ID!) { staff { member(by: $by) {
  recommendation(productId: $product) {
    product { id title } hiddenBy shelf score modelVersion asOf
    reasons { kind contribution product { title } theme { code } }
    places { kind rank score computedAt
             reasons { kind contribution product { title } theme { code } } }
  } } } }
"""
MODELS = """query($first: Int) { staff { recommendationModels(first: $first) {
    version status method asOf startedAt finishedAt settings figures } } }"""


async def why(gateway: Gateway, member: Session, code: str, *, product: str = "") -> Any:
    """What staff is told of the member and the product."""
    given = {"by": {"id": member.member_id}, "product": product or await product_id(code)}
    response = await gateway.ask(WHY, given, token=await gateway.staff())
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["staff"]["member"]["recommendation"]


@pytest.fixture
async def alice(gateway: Gateway) -> Session:
    """Somebody who agreed, and bought tea twice."""
    await a_crowd(gateway)
    session = await agreeing(gateway, "o-alice")
    await buys(gateway, session, "tea", "tea")
    return session


async def test_staff_is_told_what_the_member_is_shown(gateway: Gateway, alice: Session) -> None:
    version = await trained(gateway)
    page = await shown(gateway, alice)
    of_code = {item["product"]["title"]: item for item in page["items"]}
    for item, shelf in ((TEA, "BUY_AGAIN"), (POT, "DISCOVER"), (CUP, "DISCOVER")):
        told = await why(gateway, alice, item.code)
        seen = of_code[item.title]
        near = pytest.approx(seen["score"], abs=1e-9)
        assert (told["shelf"], told["score"], told["modelVersion"]) == (shelf, near, version)
        assert told["product"]["title"] == item.title
        for reasons in (told["reasons"], *(one["reasons"] for one in told["places"][:1])):
            assert [(one["kind"], pytest.approx(one["contribution"], abs=1e-9)) for one in reasons][
                : len(seen["reasons"])
            ] == [(one["kind"], one["contribution"]) for one in seen["reasons"]]
    pot = await why(gateway, alice, "pot")
    assert pot["hiddenBy"] == []
    assert [(one["kind"], one["rank"]) for one in pot["places"]] == [
        ("AFTER_PURCHASE", 1),
        ("DISCOVER", 1),
    ]
    assert pot["reasons"][0]["product"] == {"title": TEA.title}
    assert pot["asOf"] == pot["places"][0]["computedAt"]


async def test_what_hides_a_product_is_told(gateway: Gateway, alice: Session) -> None:
    await trained(gateway)
    assert (await why(gateway, alice, "tea"))["hiddenBy"] == ["OWNED"]
    now = gateway.clock.now()
    hidden = replace(POT, active=False, level_code="gold")
    await catalogue.upsert_products([hidden, replace(TEA, active=False)], now=now)
    given = {"productId": await product_id("pot"), "notInterested": True}
    mutation = """mutation($input: SetNotInterestedInput!) { setNotInterested(input: $input) {
        notInterested } }"""
    answer = await gateway.ask(mutation, {"input": given}, token=alice.access_token)
    assert answer.json()["data"]["setNotInterested"] == {"notInterested": True}
    told = await why(gateway, alice, "pot")
    assert told["hiddenBy"] == ["UNAVAILABLE", "LEVEL", "NOT_INTERESTED"]
    # It stands in the list all the same, which was computed before.
    assert {one["kind"] for one in told["places"]} == {"AFTER_PURCHASE", "DISCOVER"}
    assert (await why(gateway, alice, "tea"))["hiddenBy"] == ["UNAVAILABLE", "OWNED"]


async def test_of_who_does_not_agree_nothing_else_is_told(gateway: Gateway, alice: Session) -> None:
    version = await trained(gateway)
    await say(gateway, alice, "personalization", granted=False)
    told = await why(gateway, alice, "pot")
    assert told["hiddenBy"] == ["NO_CONSENT"]
    assert (told["places"], told["shelf"], told["score"], told["reasons"]) == ([], None, None, [])
    assert told["modelVersion"] == version


async def test_before_a_training_there_is_no_score(gateway: Gateway, alice: Session) -> None:
    told = await why(gateway, alice, "tea")
    assert (told["hiddenBy"], told["modelVersion"], told["asOf"]) == (["OWNED"], None, None)
    assert (told["places"], told["shelf"], told["score"], told["reasons"]) == ([], None, None, [])


async def test_what_the_model_does_not_know_has_no_score(gateway: Gateway, alice: Session) -> None:
    await trained(gateway)
    urn = replace(POT, code="urn")
    await catalogue.upsert_products([urn], now=gateway.clock.now())
    told = await why(gateway, alice, "urn")
    assert (told["hiddenBy"], told["places"], told["score"]) == ([], [], None)
    assert await why(gateway, alice, "", product=global_id("Product", UUID(int=9))) is None


async def test_a_look_is_in_the_audit_log_and_its_statements_do_not_grow(
    gateway: Gateway, alice: Session
) -> None:
    await trained(gateway)
    staff = await gateway.staff()
    given = {"by": {"id": alice.member_id}, "product": await product_id("pot")}
    numbers = []
    for baskets in ([], ["cup tea", "bag", "diamond"]):
        await buys(gateway, alice, *baskets) if baskets else None
        with observed_statements() as seen:
            await gateway.ask(WHY, given, token=staff)
        numbers.append(len(seen))
    assert numbers[0] == numbers[1]
    newest = (await audit.entries(PageRequest(first=1))).items[0]
    assert newest.action == "member.read"


async def test_staff_of_other_roles_is_refused(gateway: Gateway, alice: Session) -> None:
    given = {"by": {"id": alice.member_id}, "product": await product_id("tea")}
    for role in (StaffRole.FINANCE, StaffRole.AUDITOR, StaffRole.ADMIN):
        token = await gateway.token_of(CLERK, role)
        for document, variables in ((WHY, given), (MODELS, {})):
            body = (await gateway.ask(document, variables, token=token)).json()
            assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_models_are_told_newest_first(gateway: Gateway, alice: Session) -> None:
    del alice
    for _ in range(2):
        await trained(gateway)
    body = (await gateway.ask(MODELS, token=await gateway.staff())).json()
    second, first = body["data"]["staff"]["recommendationModels"]
    assert [(one["version"], one["status"], one["method"]) for one in (second, first)] == [
        (2, "ACTIVE", "ITEM_ITEM"),
        (1, "KEPT", "ITEM_ITEM"),
    ]
    assert orjson.loads(second["settings"]) == SETTINGS.as_facts()
    assert orjson.loads(second["figures"])["listed_members"] == 1
    one = await gateway.ask(MODELS, {"first": 1}, token=await gateway.staff())
    assert one.json()["data"]["staff"]["recommendationModels"] == [second]
