"""A partner changes nothing over a connection that stays open: its messages are not signed."""

from __future__ import annotations

import pytest

from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.test_push_rewards import open_fair
from tests.streaming.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_socket_takes_no_mutation_of_a_partner(shared: Served) -> None:
    fair = await open_fair(shared.gateway)
    variables = {"input": {"batchId": "b1", "items": [fair.item("a")]}}
    async with shared.ready(await fair.platform.token()) as peer:
        asked = await peer.answer("{ partner { code } }")
        assert asked == {"data": {"partner": {"code": fair.platform.code}}}
        before = await everything_kept()
        await peer.ask(operation("PushRewards"), variables=variables)
        assert (await peer.refusal())["code"] == "SIGNATURE_MISSING"
        assert await everything_kept() == before
