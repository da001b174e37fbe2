"""Perks, as mini-programs and staff ask for them."""

from __future__ import annotations

from typing import Any

from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.orders import line, order, record
from tests.graphql.points import token_of
from tests.graphql.programme import perk_id

USES = """query($by: MemberRef!, $first: Int, $after: String) { staff { member(by: $by) {
    perkUses(first: $first, after: $after) {
        nodes { id code title reference usedAt cancelledAt }
        pageInfo { hasNextPage endCursor } } } } }"""
CANCEL = """mutation($input: CancelPerkUseInput!) { cancelPerkUse(input: $input) {
    use { id code cancelledAt } userErrors { code field } } }"""
PERKS = """{ me { tier { level { code } perks {
    code period quota remaining resetsAt
    payPermille factorPermille amountMin withinHours serviceLevel } } } }"""


def perk(level: str, code: str) -> str:
    """The global id of a perk of the programme of these tests."""
    return global_id("Perk", perk_id(level, code))


async def use(
    gateway: Gateway,
    session: Session,
    level: str = "bronze",
    code: str = "shipping",
    *,
    key: str = "use-1",
    **changes: Any,
) -> Any:
    """The payload of `usePerk`: bronze's one free delivery of a month, where nothing is changed."""
    given = {"perkId": perk(level, code), "idempotencyKey": key} | changes
    return await gateway.send("UsePerk", await token_of(gateway, session), input=given)


async def used(gateway: Gateway, session: Session, *where: str, **changes: Any) -> Any:
    """A use that is made: its payload."""
    payload = await use(gateway, session, *where, **changes)
    assert payload["userErrors"] == [], payload
    return payload


async def perks(gateway: Gateway, session: Session) -> dict[str, Any]:
    """What the member sees of the perks of their level, by code."""
    token = await token_of(gateway, session)
    body = (await gateway.ask(PERKS, token=token)).json()
    assert "errors" not in body, body
    return {one.pop("code"): one for one in body["data"]["me"]["tier"]["perks"]}


async def remaining(gateway: Gateway, session: Session, code: str = "shipping") -> Any:
    """What is left of a perk, and when it is full again."""
    found = (await perks(gateway, session))[code]
    return found["remaining"], found["resetsAt"]


async def uses(gateway: Gateway, session: Session, **variables: Any) -> Any:
    """The page of uses that staff sees."""
    given = {"by": {"id": session.member_id}, **variables}
    body = (await gateway.ask(USES, given, token=await gateway.staff())).json()
    assert "errors" not in body, body
    return body["data"]["staff"]["member"]["perkUses"]


async def cancel(gateway: Gateway, use_id: str, *, reason: str = "送错了") -> Any:
    """The payload of `cancelPerkUse`."""
    given = {"useId": use_id, "reason": reason}
    body = (await gateway.ask(CANCEL, {"input": given}, token=await gateway.staff())).json()
    assert "errors" not in body, body
    return body["data"]["cancelPerkUse"]


async def reach(gateway: Gateway, session: Session, points: int) -> None:
    """Let the member qualify by one order of bags, which earn one point per yuan at bronze."""
    name = f"reach-{points}-{session.member}"
    placed_at = gateway.clock.now().isoformat()
    bought = order(name, session.member_id, line("bag", 100 * points), placedAt=placed_at)
    payload = await record(gateway, name, [bought])
    [receipt] = payload["batch"]["receipts"]
    assert receipt["status"] == "APPLIED", receipt
