"""Tickets that are over, and files of others: whoever asks what, a code, and nothing changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from domain import feedback
from tests.graphql.desk import do, open_desk, submit, submitted
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import changed, everything_kept
from tests.graphql.uploading import everything_left, uploaded

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_STAFF: Final[list[tuple[str, dict[str, Any]]]] = [
    ("answerTicket", {"text": "好"}),
    ("askMember", {"text": "哪一件？"}),
    ("noteTicket", {"text": "记一笔"}),
    ("resolveTicket", {"causeCode": "late", "text": "好了"}),
    ("assignTicket", {"login": None}),
    ("reopenTicket", {}),
]
"""Every act of staff on one ticket, with what it needs besides."""


async def act(gateway: Gateway, name: str, token: str, **given: Any) -> list[tuple[str, Any]]:
    """The codes and fields of what a mutation refuses; none where it does what it is asked."""
    kind = f"{name[0].upper()}{name[1:]}Input"
    query = (
        f"mutation($input: {kind}!) {{ {name}(input: $input) {{"
        " ticket { id } userErrors { code message field } } }"
    )
    body = (await gateway.ask(query, {"input": given}, token=token)).json()
    assert "errors" not in body, body
    payload = body["data"][name]
    assert (payload["ticket"] is None) == bool(payload["userErrors"])
    return [(one["code"], one["field"]) for one in payload["userErrors"]]


async def closed(gateway: Gateway, who: Session) -> str:
    """A ticket that was resolved, and closed after a week."""
    made = await submitted(gateway, who, "closed")
    await do(gateway, "ResolveTicket", made["id"], key="closed", causeCode="late")
    await feedback.close_silent(now=gateway.clock.now() + timedelta(days=8))
    ticket_id: str = made["id"]
    return ticket_id


async def merged(gateway: Gateway, who: Session) -> str:
    """A ticket that is told on in another one."""
    made = [await submitted(gateway, who, f"merged-{number}") for number in range(2)]
    refused = await act(
        gateway,
        "mergeTickets",
        await gateway.staff(),
        ticketId=made[0]["id"],
        duplicateIds=[made[1]["id"]],
        idempotencyKey=gateway.named("merged"),
    )
    assert refused == []
    ticket_id: str = made[1]["id"]
    return ticket_id


@pytest.mark.parametrize(("over", "status"), [(closed, "CLOSED"), (merged, "MERGED")])
async def test_what_is_over_stays_so_whatever_is_asked(
    gateway: Gateway, over: Any, status: str
) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    ticket_id = await over(gateway, alice)
    open_id = (await submitted(gateway, alice, "open"))["id"]
    staff = await gateway.staff()
    query = (
        "query($id: ID!) { node(id: $id) { ... on Ticket { status messages { nodes { id } } } } }"
    )
    shown = (await gateway.ask(query, {"id": ticket_id}, token=alice.access_token)).json()
    assert shown["data"]["node"]["status"] == status

    before = await everything_left(gateway)
    refused = [("TICKET_NOT_OPEN", ["ticketId"])]
    own = {"ticketId": ticket_id, "text": "还有一事"}
    assert await act(gateway, "replyTicket", alice.access_token, **own, idempotencyKey="r") == (
        refused
    )
    rating = {"ticketId": ticket_id, "experience": 1}
    assert await act(gateway, "rateTicket", alice.access_token, **rating) == refused
    for name, given in OF_STAFF:
        key = gateway.named(name)
        asked = {"ticketId": ticket_id, "idempotencyKey": key, **given}
        assert await act(gateway, name, staff, **asked) == refused, name
    for into, duplicate in ((ticket_id, open_id), (open_id, ticket_id)):
        key = gateway.named(into)
        merge = {"ticketId": into, "duplicateIds": [duplicate], "idempotencyKey": key}
        [(code, _)] = await act(gateway, "mergeTickets", staff, **merge)
        assert code == "TICKET_NOT_OPEN"
    assert await everything_left(gateway) == before
    again = (await gateway.ask(query, {"id": ticket_id}, token=alice.access_token)).json()
    assert again == shown


async def test_what_was_resolved_more_than_a_week_ago_is_not_replied_to(gateway: Gateway) -> None:
    await open_desk()
    alice = await gateway.sign_in()
    ticket_id = (await submitted(gateway, alice))["id"]
    await do(gateway, "ResolveTicket", ticket_id, key="week", causeCode="late")
    for days, codes in ((7, []), (8, ["TICKET_NOT_OPEN"])):
        gateway.clock.advance(days=days)
        alice = await gateway.sign_in()
        before = await everything_kept()
        said = {"ticketId": ticket_id, "text": "又坏了", "idempotencyKey": f"r-{days}"}
        found = await act(gateway, "replyTicket", alice.access_token, **said)
        assert [code for code, _ in found] == codes
        tables = changed(before, await everything_kept())
        assert bool(tables) == (not codes), tables
        await do(gateway, "ResolveTicket", ticket_id, key=f"week-{days}", causeCode="late")


async def test_a_picture_of_somebody_else_goes_with_no_word(gateway: Gateway) -> None:
    await open_desk()
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    ticket_id = (await submitted(gateway, alice))["id"]
    his = await uploaded(gateway, token=bob.access_token)
    before = await everything_left(gateway)
    refused = [("ATTACHMENT_UNKNOWN", ["attachmentIds", "0"])]
    said = {"ticketId": ticket_id, "text": "看", "idempotencyKey": "r", "attachmentIds": [his]}
    assert await act(gateway, "replyTicket", alice.access_token, **said) == refused
    answer = {**said, "idempotencyKey": gateway.named("a")}
    assert await act(gateway, "answerTicket", await gateway.staff(), **answer) == refused
    filed = await submit(gateway, alice, "k-2", attachmentIds=[his])
    assert [one["code"] for one in filed["userErrors"]] == ["ATTACHMENT_UNKNOWN"]
    assert await everything_left(gateway) == before
    # It is still his to send.
    await submitted(gateway, bob, attachmentIds=[his])
