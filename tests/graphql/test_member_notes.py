"""Notes of staff on a member: kept for those who serve, hidden from the member."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from domain import audit
from domain.access import StaffRole
from domain.paging import PageRequest
from domain.storage import fetch_all
from tests.graphql.gateway import Gateway, global_id
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.points import earn
from tests.graphql.programme import CLERK

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADD = """mutation($input: AddMemberNoteInput!) { addMemberNote(input: $input) {
    note { id text author at } userErrors { code field } } }"""
NOTES = """query($by: MemberRef!, $first: Int, $after: String) { staff { member(by: $by) {
    notes(first: $first, after: $after) {
        nodes { id text author at } pageInfo { hasNextPage endCursor } } } } }"""
NOBODY = "01977c1e-0000-7000-8000-000000000000"


async def add_note(
    gateway: Gateway, member_id: str, text: str, *, key: str = "note", token: str | None = None
) -> Any:
    given = {
        "member": {"id": member_id},
        "text": text,
        "idempotencyKey": gateway.named(key),
    }
    response = await gateway.ask(ADD, {"input": given}, token=token or await gateway.staff())
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["addMemberNote"]


async def notes(gateway: Gateway, member_id: str, **variables: Any) -> Any:
    response = await gateway.ask(
        NOTES, {"by": {"id": member_id}, **variables}, token=await gateway.staff()
    )
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["staff"]["member"]["notes"]


async def test_the_planned_page_of_staff_shows_the_member_with_the_notes(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 88)
    made = (await add_note(gateway, alice.member_id, "对坚果过敏\n喜欢靠窗"))["note"]
    page = await gateway.send("StaffMember", await gateway.staff(), by={"id": alice.member_id})
    assert page == {
        "member": {
            "id": alice.member_id,
            "nickname": "",
            "tier": {"level": {"code": "bronze"}},
            "points": {"available": 88, "pending": 0, "held": 0, "debt": 0},
            "notes": {
                "nodes": [
                    {
                        "id": made["id"],
                        "text": "对坚果过敏\n喜欢靠窗",
                        "at": "2026-03-01T12:00:00Z",
                    }
                ]
            },
        }
    }


async def test_a_note_is_written_and_told_to_the_log_without_its_words(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    before = await everything_kept()
    payload = await add_note(gateway, alice.member_id, "对坚果过敏")
    made = payload["note"]
    assert payload == {
        "note": {
            "id": made["id"],
            "text": "对坚果过敏",
            "author": f"staff:{CLERK}",
            "at": "2026-03-01T12:00:00Z",
        },
        "userErrors": [],
    }
    written = changed(before, await everything_kept())
    assert written == {"member_note", "timeline_item", "idempotency", "audit_entry", "audit_head"}
    [row] = await fetch_all("SELECT id FROM member_note WHERE member_id = $1", alice.member)
    assert made["id"] == global_id("MemberNote", f"{alice.member}:{row['id']}")
    [entry] = (await audit.entries(PageRequest(first=1))).items
    assert (entry.actor, entry.action) == (f"staff:{CLERK}", "note.add")
    assert entry.target == audit.Target(kind="member", id=str(alice.member))
    assert orjson.loads(entry.after or "") == {"note": str(row["id"])}
    for table in ("idempotency", "audit_entry", "timeline_item", "outbox"):
        assert "坚果" not in str([dict(one) for one in await fetch_all(f"SELECT * FROM {table}")])


async def test_the_same_key_gives_the_same_note(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    first = await add_note(gateway, alice.member_id, "对坚果过敏")
    before = await everything_kept()
    gateway.clock.advance(seconds=60)
    assert await add_note(gateway, alice.member_id, "对坚果过敏") == first
    assert changed(before, await everything_kept()) == {"audit_entry", "audit_head"}
    before = await everything_kept()
    for member_id, text in ((alice.member_id, "另一条"), (bob.member_id, "对坚果过敏")):
        payload = await add_note(gateway, member_id, text)
        assert payload == {
            "note": None,
            "userErrors": [{"code": "IDEMPOTENCY_CONFLICT", "field": ["idempotencyKey"]}],
        }
    assert await everything_kept() == before


async def test_the_same_key_gives_the_same_note_after_a_merge(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    first = await add_note(gateway, bob.member_id, "对坚果过敏")
    [row] = await fetch_all("SELECT id FROM member_note WHERE member_id = $1", bob.member)
    joined = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    # The note is the keeper's now, and so its id; named is still whoever was named.
    theirs = first["note"] | {"id": global_id("MemberNote", f"{alice.member}:{row['id']}")}
    assert await add_note(gateway, bob.member_id, "对坚果过敏") == {**first, "note": theirs}
    later = await add_note(gateway, bob.member_id, "靠窗", key="later")
    conflict = [{"code": "IDEMPOTENCY_CONFLICT", "field": ["idempotencyKey"]}]
    other = await add_note(gateway, alice.member_id, "对坚果过敏")
    assert other == {"note": None, "userErrors": conflict}
    # What went back is Bob's again; what was written on the one record stays with the keeper.
    await undone(gateway, {"mergeId": joined["merge"]["id"]})
    assert await add_note(gateway, bob.member_id, "对坚果过敏") == first
    assert await add_note(gateway, bob.member_id, "靠窗", key="later") == later


async def test_notes_are_read_newest_first_by_pages(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    for number in range(5):
        # Two at a time were written within one instant.
        gateway.clock.advance(seconds=number % 2)
        await add_note(gateway, alice.member_id, f"第 {number} 条", key=f"n{number}")
    whole = (await notes(gateway, alice.member_id, first=10))["nodes"]
    moments = [node["at"] for node in whole]
    assert moments == sorted(moments, reverse=True)
    assert {node["text"] for node in whole} == {f"第 {number} 条" for number in range(5)}
    found: list[Any] = []
    after = None
    for _ in range(3):
        page = await notes(gateway, alice.member_id, first=2, after=after)
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert found == whole
    assert page["pageInfo"]["hasNextPage"] is False
    assert (await notes(gateway, bob.member_id))["nodes"] == []


async def test_what_breaks_a_rule_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    before = await everything_kept()
    for member_id, text, key, code, field in (
        (alice.member_id, "", "k", "INVALID_INPUT", "text"),
        (alice.member_id, "\u200b \n", "k", "INVALID_INPUT", "text"),
        (alice.member_id, "备" * 2_001, "k", "INVALID_INPUT", "text"),
        (alice.member_id, "\x1b[31m", "k", "INVALID_INPUT", "text"),
        (alice.member_id, "备", "k" * 129, "INVALID_INPUT", "idempotencyKey"),
        (global_id("Member", NOBODY), "备", "k", "MEMBER_NOT_FOUND", "member"),
    ):
        payload = await add_note(gateway, member_id, text, key=key)
        assert payload == {"note": None, "userErrors": [{"code": code, "field": [field]}]}
    assert await everything_kept() == before


async def test_those_alone_who_serve_members_read_and_write_notes(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await add_note(gateway, alice.member_id, "对坚果过敏")
    before = await everything_kept()
    given = {"member": {"id": alice.member_id}, "text": "备", "idempotencyKey": "x"}
    by = {"by": {"id": alice.member_id}}
    others = [role for role in StaffRole if role is not StaffRole.SUPPORT]
    tokens = [await gateway.token_of(CLERK, role) for role in others]
    tokens += [alice.access_token, await gateway.shop(), await gateway.partner()]
    assert len(tokens) == 7
    for token in tokens:
        for document, variables in ((ADD, {"input": given}), (NOTES, by)):
            response = await gateway.ask(document, variables, token=token)
            [error] = response.json()["errors"]
            assert error["extensions"]["code"] == "FORBIDDEN"
            assert "坚果" not in response.text
    assert await everything_kept() == before
