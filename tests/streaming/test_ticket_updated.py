"""`ticketUpdated`: what happens to one ticket of the member's, and to no other one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.desk import do, open_desk, submitted
from tests.graphql.gateway import global_id
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


async def test_a_ticket_of_another_member_is_refused_like_none(served: Served) -> None:
    await open_desk()
    gateway = served.gateway
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    foreign = (await submitted(gateway, alice))["id"]
    nobodys = global_id("Ticket", "01977c1e-0000-7000-8000-000000000000")
    own = await submitted(gateway, bob)
    async with served.ready(bob.access_token) as peer:
        told = [await refused(peer, one, nth) for nth, one in enumerate((foreign, nobodys))]
        assert told[0] == told[1]
        [error] = told[0]
        assert error["message"] == "`ticketId` must be that of a ticket of the member's."
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "ticketId"}
        # Nothing is followed, and the connection goes on.
        await follow(peer, own["id"])
        await served.until_followed()
        await do(gateway, "AnswerTicket", foreign, key="foreign", text="给爱丽丝")
        await do(gateway, "AnswerTicket", own["id"], key="own", text="给鲍勃")
        assert (await event(peer))["ticket"]["id"] == own["id"]


async def refused(peer: Peer, ticket_id: str, nth: int) -> Any:
    """The errors with which following ends before it begins, but for their requests' ids."""
    variables = {"ticketId": ticket_id, "since": None}
    await peer.ask(operation("TicketUpdated"), id=f"refused-{nth}", variables=variables)
    message = await peer.hear()
    assert (message["type"], message["id"]) == ("error", f"refused-{nth}"), message
    for error in message["payload"]:
        del error["extensions"]["requestId"]
    return message["payload"]
