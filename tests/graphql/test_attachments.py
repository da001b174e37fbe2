"""Pictures that go with messages: whose they are, who sees them, and what becomes of them."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from domain import audit, custody, feedback
from domain.access import find_account
from domain.audit import Target
from domain.feedback import Topic
from domain.members import ById
from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import NOW, Gateway, Session, global_id, plain_id
from tests.graphql.kept import everything_kept
from tests.graphql.programme import CLERK
from tests.graphql.uploading import code_of, fetch, store, stored, upload, uploaded

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBMIT = """mutation($input: SubmitFeedbackInput!) { submitFeedback(input: $input) {
  ticket { id messages { nodes { id text
    attachments { id name mediaType bytes width height url } } } }
  userErrors { code field } } }"""
REPLY = """mutation($input: ReplyTicketInput!) { replyTicket(input: $input) {
  ticket { messages { nodes { text attachments { id } } } } userErrors { code field } } }"""
ANSWER = """mutation($input: AnswerTicketInput!) { answerTicket(input: $input) {
  ticket { messages { nodes { text attachments { id } } } } userErrors { code field } } }"""


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def desk(shared_gateway: Gateway) -> None:
    """There is something that feedback may be about."""
    topic = Topic(code="parcels", name_zh="包裹", name_en="Parcels")
    await feedback.define_topic(topic, by=OPERATOR, now=NOW)


async def ask(gateway: Gateway, query: str, token: str, **given: Any) -> Any:
    answer = (await gateway.ask(query, {"input": given}, token=token)).json()
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def submit(gateway: Gateway, who: Session, *files: str, key: str = "k-1") -> Any:
    return await ask(
        gateway,
        SUBMIT,
        who.access_token,
        kind="COMPLAINT",
        topic="parcels",
        text="It came broken.",
        attachmentIds=list(files),
        idempotencyKey=key,
    )


async def filed(gateway: Gateway, who: Session, *files: str, key: str = "k-1") -> str:
    """The id of a ticket with these files."""
    made = await submit(gateway, who, *files, key=key)
    assert made["userErrors"] == []
    ticket_id: str = made["ticket"]["id"]
    return ticket_id


def names(*attachment_ids: str) -> set[str]:
    return {f"{plain_id(one).partition(':')[2]}.jpg" for one in attachment_ids}


def key_of(global_id: str) -> UUID:
    return UUID(plain_id(global_id).partition(":")[2])


def sent(payload: Any) -> list[tuple[str | None, list[str] | None]]:
    """What is shown of each message: its text and its pictures, None where it is held."""
    return [
        (node["text"], node["attachments"] and [one["id"] for one in node["attachments"]])
        for node in payload["ticket"]["messages"]["nodes"]
    ]


async def test_a_ticket_has_its_pictures_in_order(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    first, second = [await uploaded(gateway, token=alice.access_token) for _ in range(2)]
    made = await submit(gateway, alice, second, first)
    [node] = made["ticket"]["messages"]["nodes"]
    assert [one["id"] for one in node["attachments"]] == [second, first]
    shown = node["attachments"][0]
    assert shown == {
        "id": second,
        "name": "photo.jpg",
        "mediaType": "image/jpeg",
        "bytes": shown["bytes"],
        "width": 32,
        "height": 24,
        "url": f"https://jifen.example/attachments/{second}",
    }
    # The same again is the same; a picture belongs to one message for good.
    assert await submit(gateway, alice, second, first) == made
    before = await everything_kept()
    again = await submit(gateway, alice, first, key="k-2")
    assert again["ticket"] is None
    assert again["userErrors"] == [{"code": "ATTACHMENT_UNKNOWN", "field": ["attachmentIds", "0"]}]
    assert await everything_kept() == before
    # It is not swept, however old it is.
    gateway.clock.advance(days=30)
    await feedback.sweep_attachments(store=store(gateway), now=gateway.clock.now())
    assert names(first, second) <= set(stored(gateway))


async def test_only_ones_own_pictures_can_be_sent(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    hers, his = [await uploaded(gateway, token=one.access_token) for one in (alice, bob)]
    before = await everything_kept()
    unknown = global_id("Attachment", "0199c0de-0000-7000-8000-000000000000")
    for files, place in (((his,), "0"), ((hers, his), "1"), ((hers, unknown), "1")):
        refused = await submit(gateway, alice, *files)
        assert refused["userErrors"] == [
            {"code": "ATTACHMENT_UNKNOWN", "field": ["attachmentIds", place]}
        ]
    for many in ([hers, hers], [hers] * 10):
        refused = await submit(gateway, alice, *many)
        assert refused["userErrors"] == [{"code": "INVALID_INPUT", "field": ["attachmentIds"]}]
    bad = await gateway.ask(
        SUBMIT,
        {
            "input": {
                "kind": "LOSS",
                "topic": "parcels",
                "text": "x",
                "attachmentIds": [alice.member_id],
                "idempotencyKey": "k",
            }
        },
        token=alice.access_token,
    )
    assert code_of(bad)[1] == "BAD_ID"
    assert await everything_kept() == before


async def test_staff_sends_pictures_too(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    hers = await uploaded(gateway, token=alice.access_token)
    ticket = await filed(gateway, alice)
    other = await filed(gateway, await gateway.sign_in("o-bob"))
    answer = await upload(gateway, token=staff, ticket=ticket)
    assert answer.status_code == 201
    ours = answer.json()["id"]
    # Before it is sent it is nothing of the member's: to see, or to send.
    assert code_of(await fetch(gateway, ours, token=alice.access_token)) == (404, "NOT_FOUND")
    given = {"text": "Is it this one?", "idempotencyKey": "a-1"}
    # It is for an answer in that ticket alone, not in another one of the same member either.
    hers_too = await filed(gateway, alice, key="k-2")
    for files, where in (([hers], ticket), ([ours], other), ([ours], hers_too)):
        refused = await ask(gateway, ANSWER, staff, ticketId=where, attachmentIds=files, **given)
        assert [one["code"] for one in refused["userErrors"]] == ["ATTACHMENT_UNKNOWN"]
    reply = {"ticketId": ticket, "text": "mine?", "idempotencyKey": "r-1"}
    refused = await ask(gateway, REPLY, alice.access_token, attachmentIds=[ours], **reply)
    assert [one["code"] for one in refused["userErrors"]] == ["ATTACHMENT_UNKNOWN"]
    made = await ask(gateway, ANSWER, staff, ticketId=ticket, attachmentIds=[ours], **given)
    assert made["userErrors"] == []
    assert sent(made) == [(None, None), ("Is it this one?", [ours])]
    got = await fetch(gateway, ours, token=alice.access_token)
    assert got.status_code == 200
    replied = await ask(gateway, REPLY, alice.access_token, attachmentIds=[hers], **reply)
    assert sent(replied) == [
        ("It came broken.", []),
        ("Is it this one?", [ours]),
        ("mine?", [hers]),
    ]


async def test_what_staff_send_and_fetch_is_in_the_audit_log(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    hers = await uploaded(gateway, token=alice.access_token)
    assert (await fetch(gateway, hers, token=alice.access_token)).status_code == 200
    seen = (await audit.head()).seq
    ours = await uploaded(gateway, token=staff, ticket=await filed(gateway, alice))
    assert (await fetch(gateway, hers, token=staff)).status_code == 200
    nowhere = global_id("Attachment", "0199c0de-0000-7000-8000-000000000000")
    assert code_of(await fetch(gateway, nowhere, token=staff)) == (404, "NOT_FOUND")
    rows = (await audit.entries(PageRequest(first=10))).items[: (await audit.head()).seq - seen]
    her = Target(kind="member", id=str(alice.member))
    assert [(one.actor, one.action, one.target, one.after) for one in reversed(rows)] == [
        (f"staff:{CLERK}", action, target, f'{{"attachment":"{key_of(which)}"}}')
        for action, which, target in (
            ("attachment.upload", ours, her),
            ("attachment.read", hers, her),
            ("attachment.read", nowhere, None),
        )
    ]


async def test_what_staff_note_for_each_other_no_member_fetches(gateway: Gateway) -> None:
    alice, staff = await gateway.sign_in(), await gateway.staff()
    ticket = await filed(gateway, alice)
    ours = await uploaded(gateway, token=staff, ticket=ticket)
    note = """mutation($input: NoteTicketInput!) { noteTicket(input: $input) {
      ticket { messages { nodes { id internal } } } userErrors { code } } }"""
    made = await ask(gateway, note, staff, ticketId=ticket, text="odd", idempotencyKey="n-1")
    noted = made["ticket"]["messages"]["nodes"][-1]
    assert noted["internal"]

    async def work() -> None:
        account = await find_account(CLERK)
        assert account is not None
        await feedback.attach(
            [key_of(ours)],
            member_id=alice.member,
            ticket_id=key_of(ticket),
            message_id=key_of(noted["id"]),
            uploaded_by=account.id,
        )

    await transaction(work)
    assert code_of(await fetch(gateway, ours, token=alice.access_token)) == (404, "NOT_FOUND")
    assert (await fetch(gateway, ours, token=staff)).status_code == 200


async def test_pictures_follow_who_is_joined_and_go_with_who_is_erased(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    sent_along = await uploaded(gateway, token=bob.access_token)
    await filed(gateway, bob, sent_along)
    waiting = await uploaded(gateway, token=bob.access_token)
    await custody.merge_members(
        custody.MergeMembers(
            keep=ById(alice.member), lose=ById(bob.member), idempotency_key="merge"
        ),
        by=replace(OPERATOR, account_id=UUID(int=9)),
        now=gateway.clock.now(),
    )
    for one in (sent_along, waiting):
        assert (await fetch(gateway, one, token=alice.access_token)).status_code == 200
    ticket = await filed(gateway, alice, waiting, key="k-2")
    assert names(sent_along, waiting) <= set(stored(gateway))
    erased = await custody.erase(
        alice.member, journal=gateway.erasures, files=gateway.files, now=gateway.clock.now()
    )
    assert erased
    assert (
        await fetch_all(
            "SELECT id FROM attachment WHERE member_id = ANY($1::uuid[])",
            [alice.member, bob.member],
        )
        == []
    )
    swept = await feedback.sweep_attachments(store=store(gateway), now=gateway.clock.now())
    assert swept >= 2
    assert names(sent_along, waiting).isdisjoint(stored(gateway))
    # Her ticket is counted yet, and nobody is there any more whom staff might send a picture.
    answer = await upload(gateway, token=await gateway.staff(), ticket=ticket)
    assert code_of(answer) == (404, "NOT_FOUND")


async def test_an_export_has_them(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    hers = await uploaded(gateway, token=alice.access_token)
    ticket = await filed(gateway, alice, hers)
    # What staff chose for her and did not send is nothing of hers.
    await uploaded(gateway, token=await gateway.staff(), ticket=ticket)
    await filed(gateway, bob, await uploaded(gateway, token=bob.access_token))
    asked = await gateway.send(
        "ExportMyData", alice.access_token, input={"idempotencyKey": "export"}
    )
    pictures = store(gateway)
    written = await custody.write_exports(
        files=gateway.files, pictures=pictures, now=gateway.clock.now
    )
    assert written == 1
    [export] = [
        name
        for name in gateway.files.names(before=NOW + timedelta(days=36_500))
        if name.startswith(plain_id(asked["export"]["id"]).rpartition(":")[2])
    ]
    with zipfile.ZipFile(gateway.files.folder / export) as file:
        [name] = names(hers)
        assert [one for one in file.namelist() if "/" in one] == [f"pictures/{name}"]
        assert file.read(f"pictures/{name}") == await pictures.open(name)
        [told] = file.read("attachment.jsonl").splitlines()
        assert b'"name":"photo.jpg"' in told
