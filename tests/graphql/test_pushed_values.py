"""What is wrong with one item of a batch, and what is no batch at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from tests.graphql.gateway import Gateway, global_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.test_push_rewards import Fair, open_fair

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def fair(gateway: Gateway) -> Fair:
    return await open_fair(gateway)


async def test_who_cannot_be_anybody_is_refused_alone(fair: Fair) -> None:
    strange = ["garbage", "", global_id("Member", UUID(int=0)), fair.campaign_id]
    refs: list[dict[str, Any]] = [{"id": one} for one in strange]
    refs += [{name: "nobody"} for name in ("memberRef", "bindToken", "externalRef")]
    refs += [{"wechat": {"appId": "wx-nobody", "openId": "o-nobody"}}]
    items = [fair.item(f"s{place}", member=ref) for place, ref in enumerate(refs)]
    batch = (await fair.push("b1", *items, fair.item("a")))["batch"]
    assert [one["code"] for one in batch["receipts"]] == [*["MEMBER_NOT_FOUND"] * len(refs), None]
    # Under one batch id, who is named by another text is another.
    again = await fair.push("b1", *items, fair.item("a"))
    assert (again["batch"]["replayed"], again["batch"]["signature"]) == (True, batch["signature"])
    items[0]["member"] = {"id": "rubbish"}
    other = await fair.push("b1", *items, fair.item("a"))
    assert [one["code"] for one in other["userErrors"]] == ["IDEMPOTENCY_CONFLICT"]


async def test_what_is_no_value_of_its_type_refuses_the_request(fair: Fair) -> None:
    before = await everything_kept()
    wrong: list[dict[str, Any]] = [
        {"member": {"phone": "138 0000"}},
        {"member": {}},
        {"member": {"id": "a", "memberRef": fair.ref}},
        {"points": 1.5},
        {"points": 2**53},
        {"occurredAt": "2026-03-01T11:00:00"},
        {"kind": "GIFT"},
        {"businessReference": "\0"},
        {"campaignId": None},
    ]
    for change in wrong:
        items = [fair.item("a"), fair.item("b") | change]
        variables = {"input": {"batchId": "b1", "items": items}}
        response = await fair.platform.push(operation("PushRewards"), variables)
        body = response.json()
        assert body.get("data") is None, change
        assert {one["extensions"]["code"] for one in body["errors"]} == {"BAD_USER_INPUT"}, change
    assert await everything_kept() == before
