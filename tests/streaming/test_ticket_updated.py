"""`ticketUpdated`: what happens to one ticket of the member's, and to no other one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.desk import do, open_desk, submitted
from tests.graphql.operations import operation
from tests.streaming.serving import Peer, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def follow(peer: Peer, ticket_id: str, since: str | None = None) -> None:
    variables = {"ticketId": ticket_id, "since": since}
    await peer.ask(operation("TicketUpdated"), variables=variables)


async def event(peer: Peer) -> Any:
    message = await peer.hear()
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    return message["payload"]["data"]["ticketUpdated"]


async def test_one_ticket_is_followed_live_and_from_a_cursor_on(served: Served) -> None:
    await open_desk()
    gateway = served.gateway
    alice = await gateway.sign_in()
    mine, other = [await submitted(gateway, alice, key) for key in ("k-1", "k-2")]
    async with served.ready(alice.access_token) as peer:
        await follow(peer, mine["id"])
        await served.until_followed()
        await do(gateway, "AnswerTicket", other["id"], key="other", text="不是这个")
        await do(gateway, "AnswerTicket", mine["id"], key="mine", text="我们在找")
        first = await event(peer)
        assert first["ticket"] == {
            "id": mine["id"],
            "status": "ANSWERED",
            "lastMessageAt": "2026-03-01T12:00:00Z",
        }
    await do(gateway, "ResolveTicket", mine["id"], key="done", causeCode="late")
    async with served.ready(alice.access_token) as peer:
        await follow(peer, mine["id"], first["cursor"])
        assert (await event(peer))["ticket"]["status"] == "RESOLVED"


async def test_whoever_follows_a_ticket_of_another_member_hears_of_their_own_alone(
    served: Served,
) -> None:
    await open_desk()
    gateway = served.gateway
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    foreign = await submitted(gateway, alice)
    own = await submitted(gateway, bob)
    async with served.ready(bob.access_token) as peer:
        await follow(peer, foreign["id"])
        await served.until_followed()
        await do(gateway, "AnswerTicket", foreign["id"], key="foreign", text="给爱丽丝")
        await peer.ask(
            operation("TicketUpdated"), id="2", variables={"ticketId": own["id"], "since": None}
        )
        await served.until_followed_by(2)
        await do(gateway, "AnswerTicket", own["id"], key="own", text="给鲍勃")
        assert (await event(peer))["ticket"]["id"] == own["id"]
