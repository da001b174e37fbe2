"""Texts that a check holds: covered for staff, told to whoever wrote them, decided by staff."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from domain import feedback
from domain.feedback import TextChecking, Topic
from domain.storage import fetch_all
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.kept import changed, everything_kept
from tests.graphql.uploading import fetch, uploaded

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBMIT = """mutation($input: SubmitFeedbackInput!) { submitFeedback(input: $input) {
  ticket { id messages { nodes { id ticketId text textCheck } } } userErrors { code } } }"""
MINE = "{ me { tickets { nodes { messages { nodes { id text textCheck } } } } } }"
THEIRS = "{ staff { tickets { nodes { messages { nodes { id text textCheck } } } } } }"
RATE = """mutation($input: RateTicketInput!) { rateTicket(input: $input) {
  userErrors { code } } }"""
MY_RATINGS = "{ me { tickets { nodes { id satisfaction { text textCheck } } } } }"
THEIR_RATINGS = "{ staff { tickets { nodes { id satisfaction { text textCheck } } } } }"
HELD = """{ staff { heldMessages(first: 50) {
  nodes { id ticketId text at check verdict label decision } pageInfo { hasNextPage } } } }"""
REVIEW = """mutation($input: ReviewMessageInput!) { reviewMessage(input: $input) {
  message { id check verdict decision } userErrors { code field } } }"""


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def desk(shared_gateway: Gateway) -> None:
    """There is something that feedback may be about."""
    topic = Topic(code="parcels", name_zh="包裹", name_en="Parcels")
    await feedback.define_topic(topic, by=OPERATOR, now=NOW)


async def data(gateway: Gateway, query: str, token: str, **given: Any) -> Any:
    variables = {"input": given} if given else None
    answer = (await gateway.ask(query, variables, token=token)).json()
    assert "errors" not in answer, answer
    return answer["data"]


async def write(gateway: Gateway, who: Session, text: str, **more: Any) -> Any:
    """The message of a ticket that was just filed."""
    answer = await data(
        gateway,
        SUBMIT,
        who.access_token,
        kind="COMPLAINT",
        topic="parcels",
        text=text,
        idempotencyKey=text,
        **more,
    )
    assert answer["submitFeedback"]["userErrors"] == []
    [node] = answer["submitFeedback"]["ticket"]["messages"]["nodes"]
    return node


async def check(gateway: Gateway) -> None:
    """The worker's turn."""
    wechat = gateway.app.state.runtime.services.wechat
    await feedback.check_texts(TextChecking(wechat=wechat, clock=gateway.clock.now))


async def texts(gateway: Gateway, query: str, token: str) -> dict[str, tuple[str | None, str]]:
    """What somebody is shown of all messages."""
    (root,) = (await data(gateway, query, token)).values()
    return {
        node["id"]: (node["text"], node["textCheck"])
        for ticket in root["tickets"]["nodes"]
        for node in ticket["messages"]["nodes"]
    }


async def review(gateway: Gateway, message: Any, decision: str) -> Any:
    answer = await data(
        gateway, REVIEW, await gateway.staff(), messageId=message["id"], decision=decision
    )
    return answer["reviewMessage"]


async def test_a_text_is_covered_until_it_is_clear(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    fine, risky = await write(gateway, alice, "It broke."), await write(gateway, alice, "[risky]!")
    assert (fine["text"], fine["textCheck"]) == ("It broke.", "WAITING")
    shown = await texts(gateway, THEIRS, staff)
    assert (shown[fine["id"]], shown[risky["id"]]) == ((None, "WAITING"), (None, "WAITING"))
    await check(gateway)
    shown = await texts(gateway, THEIRS, staff)
    assert (shown[fine["id"]], shown[risky["id"]]) == (("It broke.", "CLEAR"), (None, "RISKY"))
    # Whoever wrote it reads it, and how it stands.
    mine = await texts(gateway, MINE, alice.access_token)
    assert mine == {fine["id"]: ("It broke.", "CLEAR"), risky["id"]: ("[risky]!", "RISKY")}


async def test_staff_sees_what_is_held_and_decides(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    first = await write(gateway, alice, "a [review]")
    second = await write(gateway, alice, "b [risky]")
    await check(gateway)
    waits = await write(gateway, alice, "c")
    held = (await data(gateway, HELD, staff))["staff"]["heldMessages"]["nodes"]
    own = [one for one in held if one["id"] in {first["id"], second["id"], waits["id"]}]
    assert [(one["text"], one["check"], one["verdict"], one["label"]) for one in own] == [
        ("a [review]", "REVIEW", "REVIEW", 10001),
        ("b [risky]", "RISKY", "RISKY", 20003),
        ("c", "WAITING", None, None),
    ]
    log = await fetch_all("SELECT action FROM audit_entry ORDER BY seq DESC LIMIT 1")
    assert log[0]["action"] == "messages.read_held"
    assert await review(gateway, first, "RELEASE") == {
        "message": {
            "id": first["id"],
            "check": "CLEAR",
            "verdict": "REVIEW",
            "decision": "RELEASE",
        },
        "userErrors": [],
    }
    assert (await review(gateway, second, "REFUSE"))["message"]["check"] == "REFUSED"
    shown = await texts(gateway, THEIRS, staff)
    assert shown[first["id"]] == ("a [review]", "CLEAR")
    assert shown[second["id"]] == (None, "REFUSED")
    before = await everything_kept()
    refused = await review(gateway, second, "RELEASE")
    assert refused == {
        "message": None,
        "userErrors": [{"code": "MESSAGE_NOT_HELD", "field": ["messageId"]}],
    }
    assert await everything_kept() == before
    again = await review(gateway, second, "REFUSE")
    assert again["message"]["decision"] == "REFUSE"
    assert {name.partition("_")[0] for name in changed(before, await everything_kept())} == {
        "audit"
    }


async def rating(gateway: Gateway, query: str, token: str, ticket_id: str) -> Any:
    """The words of a rating as somebody is shown them, and how they stand."""
    (root,) = (await data(gateway, query, token)).values()
    [ticket] = [one for one in root["tickets"]["nodes"] if one["id"] == ticket_id]
    said = ticket["satisfaction"]
    return said["text"], said["textCheck"]


async def test_the_words_of_a_rating_are_covered_like_a_message(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    message = await write(gateway, alice, "It is late.")
    ticket_id = message["ticketId"]
    rated = {"ticketId": ticket_id, "experience": 1}

    async def rate(text: str | None) -> None:
        answer = await data(gateway, RATE, alice.access_token, **rated, text=text)
        assert answer["rateTicket"]["userErrors"] == []

    async def shown() -> tuple[Any, Any]:
        mine = await rating(gateway, MY_RATINGS, alice.access_token, ticket_id)
        return mine, await rating(gateway, THEIR_RATINGS, staff, ticket_id)

    await rate("[risky] service")
    assert await shown() == (("[risky] service", "WAITING"), (None, "WAITING"))
    await check(gateway)
    assert await shown() == (("[risky] service", "RISKY"), (None, "RISKY"))
    held = (await data(gateway, HELD, staff))["staff"]["heldMessages"]["nodes"]
    [words] = [one for one in held if one["text"] == "[risky] service"]
    assert (words["ticketId"], words["label"]) == (ticket_id, 20003)
    # They are no part of the conversation.
    assert words["id"] not in await texts(gateway, MINE, alice.access_token)
    assert words["id"] not in await texts(gateway, THEIRS, staff)
    await review(gateway, words, "RELEASE")
    assert await shown() == (("[risky] service", "CLEAR"),) * 2
    # The same words with another rating are not checked anew; other words are.
    rated["experience"] = 2
    await rate("[risky] service")
    assert await shown() == (("[risky] service", "CLEAR"),) * 2
    await rate("[review] service")
    assert await shown() == (("[review] service", "WAITING"), (None, "WAITING"))
    await check(gateway)
    await rate(None)
    assert await shown() == ((None, None), (None, None))
    held = (await data(gateway, HELD, staff))["staff"]["heldMessages"]["nodes"]
    assert "[review] service" not in [one["text"] for one in held]


async def test_others_neither_see_nor_decide(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    risky = await write(gateway, alice, "[risky] words")
    given = {"input": {"messageId": risky["id"], "decision": "RELEASE"}}
    before = await everything_kept()
    for token in (
        alice.access_token,
        await gateway.shop(),
        await gateway.partner(),
        await gateway.token_of("clerk", "marketing"),
    ):
        for query, variables in ((HELD, None), (REVIEW, given)):
            answer = (await gateway.ask(query, variables, token=token)).json()
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await everything_kept() == before


PICTURES = "messages(first: 1) { nodes { attachments { id } } }"


async def test_pictures_are_held_with_the_text_that_they_came_with(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    picture = await uploaded(gateway, token=alice.access_token)
    message = await write(gateway, alice, "[risky] see this", attachmentIds=[picture])

    ticket = f'(id: "{message["ticketId"]}") {{'
    her_query = f"{{ node{ticket} ... on Ticket {{ {PICTURES} }} }} }}"
    their_query = f"{{ staff {{ ticket{ticket} {PICTURES} }} }} }}"

    async def shown(query: str, token: str) -> tuple[Any, int]:
        (found,) = (await data(gateway, query, token)).values()
        [node] = found.get("ticket", found)["messages"]["nodes"]
        return node["attachments"], (await fetch(gateway, picture, token=token)).status_code

    async def seen() -> tuple[tuple[Any, int], tuple[Any, int]]:
        return await shown(her_query, alice.access_token), await shown(their_query, staff)

    hers, covered = ([{"id": picture}], 200), (None, 404)
    assert await seen() == (hers, covered)
    await check(gateway)
    assert await seen() == (hers, covered)
    await review(gateway, message, "RELEASE")
    assert await seen() == (hers, hers)
