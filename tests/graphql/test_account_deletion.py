"""requestAccountDeletion and cancelAccountDeletion: a period to think it over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import storage
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.kept import changed, everything_kept
from tests.graphql.points import token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_A_WEEK = "2026-03-08T12:00:00Z"
SESSIONS = {"member_session", "refresh_token"}
"""What a fresh token writes, days after the sign-in."""


async def request(gateway: Gateway, member: Session, key: str, **more: Any) -> Any:
    return await gateway.send(
        "RequestAccountDeletion",
        await token_of(gateway, member),
        input={"idempotencyKey": key, **more},
    )


async def cancel(gateway: Gateway, member: Session, key: str) -> Any:
    return await gateway.send(
        "CancelAccountDeletion", await token_of(gateway, member), input={"idempotencyKey": key}
    )


async def test_the_account_is_deleted_a_week_later(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    assert await request(gateway, alice, "k", reason="太吵了\n再见") == {
        "deletesAt": IN_A_WEEK,
        "userErrors": [],
    }
    row = await storage.fetch_one(
        "SELECT asked_by, reason, requested_at, deletes_at FROM account_deletion"
        " WHERE member_id = $1",
        alice.member,
    )
    assert row is not None
    assert dict(row) == {
        "asked_by": "member",
        "reason": "太吵了\n再见",
        "requested_at": NOW,
        "deletes_at": NOW + timedelta(days=7),
    }


async def test_until_then_all_goes_on_and_asking_again_changes_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await request(gateway, alice, "k")
    gateway.clock.advance(days=3)
    before = await everything_kept()
    # The answer to another key is remembered too, and the moment is the same.
    assert (await request(gateway, alice, "k"))["deletesAt"] == IN_A_WEEK
    assert changed(before, await everything_kept()) == SESSIONS
    assert (await request(gateway, alice, "k2"))["deletesAt"] == IN_A_WEEK
    assert changed(before, await everything_kept()) == {*SESSIONS, "idempotency"}
    again = await gateway.sign_in()
    assert (again.member_id, again.is_new_member) == (alice.member_id, False)


async def shown(gateway: Gateway, member: Session) -> tuple[str | None, str | None]:
    """When the account ends, as the member is told and as staff are."""
    asked = await gateway.ask("{ me { deletesAt } }", token=await token_of(gateway, member))
    query = "query($by: MemberRef!) { staff { member(by: $by) { deletesAt } } }"
    by = {"by": {"id": member.member_id}}
    staff = await gateway.ask(query, by, token=await gateway.staff())
    seen = staff.json()["data"]["staff"]["member"]["deletesAt"]
    return asked.json()["data"]["me"]["deletesAt"], seen


async def test_a_deletion_under_way_is_seen(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    assert await shown(gateway, alice) == (None, None)
    await request(gateway, alice, "k")
    gateway.clock.advance(days=6)
    assert await shown(gateway, alice) == (IN_A_WEEK, IN_A_WEEK)
    assert await shown(gateway, bob) == (None, None)
    assert (await cancel(gateway, alice, "c"))["cancelled"] is True
    assert await shown(gateway, alice) == (None, None)


async def test_it_can_be_taken_back_once(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await request(gateway, alice, "k")
    gateway.clock.advance(days=6, hours=23)
    assert await cancel(gateway, alice, "c") == {"cancelled": True, "userErrors": []}
    assert await cancel(gateway, alice, "c") == {"cancelled": True, "userErrors": []}
    assert await cancel(gateway, alice, "c2") == {"cancelled": False, "userErrors": []}
    # A new wish begins a new period; the old key tells the old answer.
    assert (await request(gateway, alice, "k"))["deletesAt"] == IN_A_WEEK
    assert (await request(gateway, alice, "k2"))["deletesAt"] == "2026-03-15T11:00:00Z"


async def test_at_its_end_it_is_too_late(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await request(gateway, alice, "k")
    gateway.clock.advance(days=7)
    alice = await gateway.sign_in()
    assert await cancel(gateway, alice, "c") == {"cancelled": False, "userErrors": []}
    left = await storage.fetch_all(
        "SELECT deletes_at FROM account_deletion WHERE member_id = $1", alice.member
    )
    assert [row["deletes_at"] for row in left] == [NOW + timedelta(days=7)]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"idempotencyKey": ""}, "INVALID_INPUT", ["idempotencyKey"]),
        ({"idempotencyKey": "k" * 129}, "INVALID_INPUT", ["idempotencyKey"]),
        ({"idempotencyKey": "k", "reason": "x" * 501}, "INVALID_INPUT", ["reason"]),
        ({"idempotencyKey": "k", "reason": "a\u202eb"}, "INVALID_INPUT", ["reason"]),
    ],
)
async def test_bad_input_is_refused_and_changes_nothing(
    gateway: Gateway, given: dict[str, Any], code: str, field: list[str]
) -> None:
    alice = await gateway.sign_in()
    before = await everything_kept()
    response = await gateway.ask(
        "mutation ($input: RequestAccountDeletionInput!) {"
        " requestAccountDeletion(input: $input) { deletesAt userErrors { code field } } }",
        {"input": given},
        token=alice.access_token,
    )
    assert response.json()["data"]["requestAccountDeletion"] == {
        "deletesAt": None,
        "userErrors": [{"code": code, "field": field}],
    }
    assert await everything_kept() == before


async def test_a_key_with_another_reason_is_refused(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await request(gateway, alice, "k", reason="one")
    before = await everything_kept()
    refused = await request(gateway, alice, "k", reason="another")
    assert refused["deletesAt"] is None
    assert [error["code"] for error in refused["userErrors"]] == ["IDEMPOTENCY_CONFLICT"]
    assert await everything_kept() == before
