"""AdjustPoints, ApproveAdjustment and what waits, by the operations of clients, by role."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.access import CallerKind, StaffRole
from domain.ledger import balance, verify_account
from tests.graphql.gateway import NOW, Gateway, global_id
from tests.graphql.orders import order, record
from tests.graphql.programme import CLERK, open_account

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADJUST = """mutation($input: AdjustPointsInput!) { adjustPoints(input: $input) {
    adjustment { id memberId points reason status approvalsNeeded requester requestedAt approver
        appliedAt entry { id kind amount balanceAfter reason } }
    userErrors { code message field retryable } } }"""
PENDING = """query($first: Int, $after: String) { staff {
    pendingAdjustments(first: $first, after: $after) {
        nodes { id memberId points reason requester status }
        pageInfo { hasNextPage endCursor } } } }"""


def asking(member_id: str, points: int, **other: Any) -> dict[str, Any]:
    given = {
        "member": {"id": member_id},
        "points": points,
        "reason": "包裹迟到",
        "idempotencyKey": f"{member_id}:{points}",
    }
    return {**given, **other}


async def second(gateway: Gateway, *roles: StaffRole) -> str:
    """A token of another person of the staff."""
    login = gateway.named("second")
    await open_account(CallerKind.STAFF, login, *roles, now=NOW)
    return await gateway.token_of(login)


async def buyer(gateway: Gateway) -> tuple[str, UUID]:
    """A member with 88 points."""
    alice = await gateway.sign_in()
    await record(gateway, gateway.named("batch"), [order(gateway.named("A"), alice.member_id)])
    return alice.member_id, alice.member


async def available(member: UUID) -> int:
    assert await verify_account(member) == []
    return (await balance(member, now=NOW)).available


async def test_a_small_correction_takes_effect_at_once(gateway: Gateway) -> None:
    member_id, member = await buyer(gateway)
    token = await gateway.token_of(CLERK, StaffRole.SUPPORT)
    answer = await gateway.send("AdjustPoints", token, input=asking(member_id, 12))
    adjustment = answer.pop("adjustment")
    assert answer == {"userErrors": []}
    assert adjustment == {
        "id": adjustment["id"],
        "status": "APPLIED",
        "approvalsNeeded": 0,
        "entry": {"id": global_id("LedgerEntry", f"{member}:2"), "amount": 12},
    }
    assert await available(member) == 100
    body = (await gateway.ask(ADJUST, {"input": asking(member_id, 12)}, token=token)).json()
    assert body["data"]["adjustPoints"]["adjustment"] == {
        "id": adjustment["id"],
        "memberId": member_id,
        "points": 12,
        "reason": "包裹迟到",
        "status": "APPLIED",
        "approvalsNeeded": 0,
        "requester": f"staff:{CLERK}",
        "requestedAt": "2026-03-01T12:00:00Z",
        "approver": None,
        "appliedAt": "2026-03-01T12:00:00Z",
        "entry": {
            "id": global_id("LedgerEntry", f"{member}:2"),
            "kind": "ADJUST",
            "amount": 12,
            "balanceAfter": 100,
            "reason": "包裹迟到",
        },
    }
    assert await available(member) == 100


async def test_a_large_one_waits_until_a_second_person_approves_it(gateway: Gateway) -> None:
    member_id, member = await buyer(gateway)
    clerk = await gateway.staff()
    asked = (await gateway.send("AdjustPoints", clerk, input=asking(member_id, 1_001)))[
        "adjustment"
    ]
    assert asked == {
        "id": asked["id"],
        "status": "PENDING",
        "approvalsNeeded": 1,
        "entry": None,
    }
    approver = await second(gateway, StaffRole.FINANCE)
    body = (await gateway.ask(PENDING, token=approver)).json()
    nodes = body["data"]["staff"]["pendingAdjustments"]["nodes"]
    assert nodes[-1] == {
        "id": asked["id"],
        "memberId": member_id,
        "points": 1_001,
        "reason": "包裹迟到",
        "requester": f"staff:{CLERK}",
        "status": "PENDING",
    }

    approval = {"adjustmentId": asked["id"], "idempotencyKey": "yes"}
    own = await gateway.send("ApproveAdjustment", clerk, input=approval)
    assert own["adjustment"] is None
    assert [error["code"] for error in own["userErrors"]] == ["APPROVAL_BY_REQUESTER"]
    assert await available(member) == 88
    for _ in range(2):
        made = await gateway.send("ApproveAdjustment", approver, input=approval)
        assert made == {
            "adjustment": {
                "id": asked["id"],
                "status": "APPLIED",
                "entry": {"id": global_id("LedgerEntry", f"{member}:2")},
            },
            "userErrors": [],
        }
    assert await available(member) == 1_089
    # Asked for again with the same key, the first answer: it waited then.
    again = await gateway.send("AdjustPoints", clerk, input=asking(member_id, 1_001))
    assert again["adjustment"] == asked
    other = {"adjustmentId": asked["id"], "idempotencyKey": "again"}
    twice = await gateway.send("ApproveAdjustment", approver, input=other)
    assert [error["code"] for error in twice["userErrors"]] == ["ADJUSTMENT_NOT_PENDING"]
    body = (await gateway.ask(PENDING, token=approver)).json()
    waiting = [one["id"] for one in body["data"]["staff"]["pendingAdjustments"]["nodes"]]
    assert asked["id"] not in waiting


async def test_staff_reads_what_the_member_has_then(gateway: Gateway) -> None:
    member_id, _ = await buyer(gateway)
    clerk = await gateway.staff()
    await gateway.send("AdjustPoints", clerk, input=asking(member_id, -8))
    query = """query($by: MemberRef!) { staff { member(by: $by) {
        points { available } ledger(first: 1) { nodes { kind amount reason } } } } }"""
    body = (await gateway.ask(query, {"by": {"id": member_id}}, token=clerk)).json()
    assert body["data"]["staff"]["member"] == {
        "points": {"available": 80},
        "ledger": {"nodes": [{"kind": "ADJUST", "amount": -8, "reason": "包裹迟到"}]},
    }


async def test_what_is_wrong_is_refused_by_code_and_field(gateway: Gateway) -> None:
    member_id, member = await buyer(gateway)
    clerk = await gateway.staff()
    for given, code, field in (
        (asking(member_id, 0), "POINTS_OUT_OF_RANGE", ["points"]),
        (asking(member_id, -89), "INSUFFICIENT_POINTS", None),
        (asking(member_id, 1, reason="  "), "INVALID_INPUT", ["reason"]),
        (asking(member_id, 1, reason="x" * 501), "INVALID_INPUT", ["reason"]),
        (asking(member_id, 1, idempotencyKey=""), "INVALID_INPUT", ["idempotencyKey"]),
        (asking(member_id, 1, member={"externalRef": "?"}), "MEMBER_NOT_FOUND", ["member"]),
    ):
        body = (await gateway.ask(ADJUST, {"input": given}, token=clerk)).json()
        answer = body["data"]["adjustPoints"]
        assert answer["adjustment"] is None
        [error] = answer["userErrors"]
        assert (error["code"], error["field"]) == (code, field), given
    await gateway.send("AdjustPoints", clerk, input=asking(member_id, 1))
    conflict = asking(member_id, 1, reason="另一个")
    body = (await gateway.ask(ADJUST, {"input": conflict}, token=clerk)).json()
    [error] = body["data"]["adjustPoints"]["userErrors"]
    assert error["code"] == "IDEMPOTENCY_CONFLICT"
    nobodys = {"adjustmentId": global_id("Adjustment", UUID(int=1)), "idempotencyKey": "k"}
    answer = await gateway.send("ApproveAdjustment", clerk, input=nobodys)
    assert [one["code"] for one in answer["userErrors"]] == ["ADJUSTMENT_UNKNOWN"]
    assert await available(member) == 89


@pytest.mark.parametrize("adjustment_id", ["x", global_id("Member", UUID(int=1)), ""])
async def test_an_id_of_something_else_is_no_adjustments(
    gateway: Gateway, adjustment_id: str
) -> None:
    query = """mutation($input: ApproveAdjustmentInput!) { approveAdjustment(input: $input) {
        userErrors { code } } }"""
    given = {"adjustmentId": adjustment_id, "idempotencyKey": "k"}
    body = (await gateway.ask(query, {"input": given}, token=await gateway.staff())).json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["BAD_ID"]


APPROVE = """mutation { approveAdjustment(input: { adjustmentId: "x", idempotencyKey: "k" }) {
    userErrors { code } } }"""
ASK = """mutation { adjustPoints(input: { member: { externalRef: "?" }, points: 1, reason: "x",
    idempotencyKey: "k" }) { userErrors { code } } }"""
MAY = {
    ASK: {StaffRole.SUPPORT, StaffRole.FINANCE},
    APPROVE: {StaffRole.FINANCE},
    "{ staff { pendingAdjustments { nodes { id } } } }": {
        StaffRole.SUPPORT,
        StaffRole.FINANCE,
        StaffRole.AUDITOR,
    },
    "{ staff { ledgerAudit { accountsChecked } } }": {StaffRole.AUDITOR},
}


async def test_each_role_does_what_it_is_for_and_nobody_else(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    tokens = {role: await gateway.token_of(CLERK, role) for role in StaffRole}
    for query, roles in MAY.items():
        for role, token in tokens.items():
            body = (await gateway.ask(query, token=token)).json()
            codes = [error["extensions"]["code"] for error in body.get("errors", [])]
            assert (codes == ["FORBIDDEN"]) is (role not in roles), (query, role, body)
        for other, code in (
            (None, "UNAUTHENTICATED"),
            (alice.access_token, "FORBIDDEN"),
            (await gateway.shop(), "FORBIDDEN"),
            (await gateway.partner(), "FORBIDDEN"),
        ):
            body = (await gateway.ask(query, token=other)).json()
            assert [error["extensions"]["code"] for error in body["errors"]] == [code]
            assert "data" not in body
