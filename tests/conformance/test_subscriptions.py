"""The reference clients of both protocols of subscriptions."""

from __future__ import annotations

from typing import Final

import pytest

from tests.conformance.conftest import Clients, Server, assert_all_passed

pytestmark = pytest.mark.conformance

IN_ORDER: Final = "points that change are told once and in order"
RESUMED: Final = "after a broken connection the cursor brings what was missed"
NOTHING: Final = "without a token there is nothing to follow"

CLIENTS: Final = {
    "graphql_ws": (
        "graphql-ws",
        {
            "a query and a mutation run over the socket",
            IN_ORDER,
            RESUMED,
            "an expired token closes the connection with 4401",
            "a token that is none is refused with 4403",
            NOTHING,
            "of eleven subscriptions ten go on and one is refused",
            "pings are answered",
            "what breaks the protocol is closed with its codes",
        },
    ),
    "graphql_sse": (
        "graphql-sse",
        {
            "a query and a mutation run over a stream",
            IN_ORDER,
            RESUMED,
            "a stream ends with its token",
            NOTHING,
        },
    ),
}


@pytest.mark.parametrize("script", CLIENTS)
@pytest.mark.parametrize("mode", ["development", "closed"])
def test_a_member_follows_their_points(
    clients: Clients, script: str, mode: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(mode)
    client, names = CLIENTS[script]
    results = clients.script(script, server, SHORT_TOKEN=server.short_token(seconds=3))
    assert_all_passed(clients, results, client=client, mode=server.mode, names=names)
