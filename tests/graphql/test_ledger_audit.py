"""LedgerAudit: staff audits now, all that there is; what fails is frozen and told."""

from __future__ import annotations

from typing import Any

from domain.ledger import frozen_accounts
from domain.storage import execute
from tests.graphql.gateway import Gateway
from tests.graphql.orders import order, record

WHOLE = """{ staff { ledgerAudit { ranAt accountsChecked entriesChecked complete violationsFound
    violations { rule memberId detail } } } }"""


async def audit(gateway: Gateway) -> Any:
    body = (await gateway.ask(WHOLE, token=await gateway.staff())).json()
    assert "errors" not in body, body
    return body["data"]["staff"]["ledgerAudit"]


async def test_everything_is_checked_now_and_what_fails_is_frozen(own_gateway: Gateway) -> None:
    gateway = own_gateway
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    for number, session in enumerate((alice, alice, bob)):
        await record(gateway, f"batch-{number}", [order(f"{number}", session.member_id)])
    staff = await gateway.send("LedgerAudit", await gateway.staff())
    assert staff == {
        "ledgerAudit": {
            "ranAt": "2026-03-01T12:00:00Z",
            "accountsChecked": 2,
            "entriesChecked": 3,
            "violations": [],
        }
    }
    await execute(
        "UPDATE points_account SET debt = 1, available = 0 WHERE member_id = $1", bob.member
    )
    for _ in range(2):
        found = await audit(gateway)
        assert (found["accountsChecked"], found["entriesChecked"]) == (2, 3)
        assert (found["complete"], found["violationsFound"]) == (True, 3)
        assert found["violations"] == [
            {"rule": rule, "memberId": bob.member_id, "detail": detail}
            for rule, detail in (
                ("sum", "available is 0, its changes sum to 88"),
                ("sum", "debt is 1, its changes sum to 0"),
                ("lots", "matured lots hold 88"),
            )
        ]
    assert await frozen_accounts() == 1
    clerk = await gateway.staff()
    await execute("UPDATE points_account SET debt = 0, available = 88 WHERE debt = 1")
    for session, points, code in (
        (bob, -1, "ACCOUNT_FROZEN"),
        (bob, 1, None),
        (alice, -1, None),
    ):
        given = {
            "member": {"id": session.member_id},
            "points": points,
            "reason": "a correction",
            "idempotencyKey": f"{session.member_id}{points}",
        }
        answer = await gateway.send("AdjustPoints", clerk, input=given)
        assert [one["code"] for one in answer["userErrors"]] == ([code] if code else [])
    query = "{ staff { auditLog(first: 10) { nodes { action actor target { id } after } } } }"
    nodes = (await gateway.ask(query, token=clerk)).json()["data"]["staff"]["auditLog"]["nodes"]
    assert [node["action"] for node in nodes[:6]] == [
        "points.adjust",
        "points.adjust",
        "ledger.audit",
        "ledger.audit",
        "points.freeze",
        "ledger.audit",
    ]
    assert nodes[4]["target"] == {"id": bob.member_id}
    assert nodes[2]["after"] == '{"accounts":2,"complete":true,"entries":3,"violations":3}'


async def test_two_audits_in_one_operation_cost_too_much(own_gateway: Gateway) -> None:
    twice = (
        "{ staff { a: ledgerAudit { ranAt } b: ledgerAudit { ranAt } c: ledgerAudit { ranAt } } }"
    )
    body = (await own_gateway.ask(twice, token=await own_gateway.staff())).json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["COST_LIMIT"]
