"""One field that is not the caller's refuses the whole operation. All others: the access matrix."""

from __future__ import annotations

import pytest

from tests.graphql.conftest import Scene
from tests.graphql.gateway import GRAPHQL_JSON

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_nothing_before_a_field_that_is_refused_is_done(scene: Scene) -> None:
    """As the second of two mutations shows."""
    order = f"""{{ externalId: "Z", member: {{ id: "{scene.alice.member_id}" }}, paid: 100,
        placedAt: "2026-03-01T11:00:00Z",
        lines: [{{ lineId: "1", productCode: "cup", quantity: 1, amount: 100 }}] }}"""
    query = f"""mutation {{
        recordPurchases(input: {{ batchId: "z", orders: [{order}] }}) {{ batch {{ id }} }}
        signOut {{ signedOut }} }}"""
    gateway = scene.gateway
    for token, code, status in (
        (None, "UNAUTHENTICATED", 401),
        (scene.alice.access_token, "FORBIDDEN", 403),
        (scene.shop, "FORBIDDEN", 403),
        (await gateway.partner(), "FORBIDDEN", 403),
        (await gateway.staff(), "FORBIDDEN", 403),
    ):
        response = await gateway.ask(query, token=token, accept=GRAPHQL_JSON)
        assert response.status_code == status
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == code
        assert "data" not in response.json()
    await scene.assert_unchanged()
