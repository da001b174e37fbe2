"""Staff who join two records and part them, and the two people themselves."""

from __future__ import annotations

from typing import Any, Final

from api.fake_wechat import DEMO_APP_ID
from tests.graphql.gateway import Gateway, Session
from tests.graphql.points import earn

MERGE: Final = """mutation($input: MergeMembersInput!) { mergeMembers(input: $input) {
    merge { id keeperId loserId because mergedAt undoableUntil undoneAt }
    userErrors { code field } } }"""
UNDO: Final = """mutation($input: UndoMergeInput!) { undoMerge(input: $input) {
    merge { id keeperId loserId undoneAt } userErrors { code field } } }"""


async def merged(gateway: Gateway, keep: Any, lose: Any, *, key: str = "k") -> Any:
    given = {"keep": keep, "lose": lose, "idempotencyKey": gateway.named(key)}
    body = (await gateway.ask(MERGE, {"input": given}, token=await gateway.staff())).json()
    assert "errors" not in body, body
    return body["data"]["mergeMembers"]


async def undone(gateway: Gateway, merge: dict[str, str], *, key: str = "u") -> Any:
    given = {"merge": merge, "idempotencyKey": gateway.named(key)}
    body = (await gateway.ask(UNDO, {"input": given}, token=await gateway.staff())).json()
    assert "errors" not in body, body
    return body["data"]["undoMerge"]


async def me(gateway: Gateway, session: Session) -> Any:
    """What the member sees of themself; None where the session is over."""
    query = (
        "{ me { id points { available held debt } ledger(first: 1) { nodes { kind amount } } } }"
    )
    body = (await gateway.ask(query, token=session.access_token)).json()
    return body["data"]["me"] if "errors" not in body else None


def errors(answer: Any) -> list[tuple[str, list[str] | None]]:
    return [(one["code"], one["field"]) for one in answer["userErrors"]]


async def bind(gateway: Gateway, session: Session, phone: str) -> Any:
    code = await gateway.phone.phone(phone=phone, appId=DEMO_APP_ID)
    given = {"appId": DEMO_APP_ID, "code": code}
    return await gateway.send("BindPhone", session.access_token, input=given)


async def two(gateway: Gateway) -> tuple[Session, Session]:
    """Alice with 100 points, Bob with 50, of which 20 are held."""
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100)
    await earn(gateway, bob, 50)
    return alice, bob
