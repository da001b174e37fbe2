"""Days that are reconciled, as staff sees them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from domain.access import StaffRole
from tests.graphql.programme import CLERK
from tests.graphql.test_push_rewards import Fair
from tests.graphql.test_reconciliation import DAY, fair, fetch, upload, write

__all__ = ["fair"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_STAFF = """query ($code: String!, $first: Int!, $after: String) {
  staff { partner(code: $code) { reconciliations(first: $first, after: $after) {
    nodes { date count points differenceCount sha256 downloadUrl
            differences { nodes { externalId kind ours theirs } } }
    pageInfo { hasNextPage endCursor }
  } } }
}"""


async def test_staff_sees_the_days_of_a_partner(fair: Fair) -> None:
    first = await write(fair)
    await upload(fair.platform, b"")
    await fair.push("b2", fair.item("d", 5))
    fair.gateway.clock.advance(days=1)
    await write(fair, "2026-03-02")
    finance = await fair.gateway.token_of(CLERK, StaffRole.FINANCE)

    async def page(after: str | None = None) -> Any:
        variables = {"code": fair.platform.code, "first": 1, "after": after}
        answer = (await fair.gateway.ask(OF_STAFF, variables, token=finance)).json()
        return answer["data"]["staff"]["partner"]["reconciliations"]

    newest = await page()
    [day] = newest["nodes"]
    assert (day["date"], day["count"], day["points"]) == ("2026-03-02", 1, 5)
    assert (day["differenceCount"], day["differences"]["nodes"]) == (None, [])
    rest = await page(newest["pageInfo"]["endCursor"])
    [day] = rest["nodes"]
    assert not rest["pageInfo"]["hasNextPage"]
    assert (day["date"], day["count"], day["points"]) == (DAY, 3, 17)
    assert (day["sha256"], day["differenceCount"]) == (first.sha256, 2)
    missing = {"kind": "MISSING_THERE", "theirs": None}
    assert day["differences"]["nodes"] == [
        {"externalId": "a", "ours": "GRANT 10 APPLIED", **missing},
        {"externalId": "b", "ours": "GRANT 7 APPLIED", **missing},
    ]
    file = await fetch(fair.gateway, day["downloadUrl"])
    assert hashlib.sha256(file.content).hexdigest() == first.sha256
    support = await fair.gateway.token_of(CLERK, StaffRole.SUPPORT)
    variables = {"code": fair.platform.code, "first": 1}
    refused = (await fair.gateway.ask(OF_STAFF, variables, token=support)).json()
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
