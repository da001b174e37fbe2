"""Points at a checkout and between members, as shops and mini-programs ask for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain import members
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.orders import applied, line, order, record


async def earn(gateway: Gateway, session: Session, points: int, *, order_id: str = "A") -> None:
    """Let a member earn points by one order of as many yuan, placed an hour ago, at bronze."""
    placed_at = (gateway.clock.now() - timedelta(hours=1)).isoformat()
    name = f"{order_id}-{session.member}"
    bought = order(name, session.member_id, line("bag", 100 * points), placedAt=placed_at)
    payload = await record(gateway, name, [bought])
    assert applied(payload) == [points]


async def token_of(gateway: Gateway, session: Session) -> str:
    """A token of the member that is good now, however far the clock was moved."""
    now = gateway.clock.now()
    if now < NOW + timedelta(minutes=15):
        return session.access_token
    opened = await members.open_session(
        session.member, app_id="wx0", tokens=gateway.tokens, now=now
    )
    return opened.access_token


async def balance(gateway: Gateway, session: Session) -> dict[str, int]:
    """What the member sees: available, held and debt."""
    response = await gateway.ask(
        "{ me { points { available held debt } } }", token=await token_of(gateway, session)
    )
    points: dict[str, int] = response.json()["data"]["me"]["points"]
    return points


async def hold(gateway: Gateway, session: Session, points: int, **changes: Any) -> Any:
    """The payload of `holdPoints`, sent by the shop."""
    given = {
        "member": {"id": session.member_id},
        "points": points,
        "reference": "order-1",
        "idempotencyKey": "hold-1",
    } | changes
    return await gateway.send("HoldPoints", await gateway.shop(), input=given)


async def held(gateway: Gateway, session: Session, points: int, **changes: Any) -> str:
    """The id of a hold that is made."""
    payload = await hold(gateway, session, points, **changes)
    assert payload["userErrors"] == []
    hold_id: str = payload["hold"]["id"]
    return hold_id


async def capture(gateway: Gateway, hold_id: str, **changes: Any) -> Any:
    """The payload of `capturePoints`, sent by the shop."""
    given = {"holdId": hold_id, "idempotencyKey": "capture-1"} | changes
    return await gateway.send("CapturePoints", await gateway.shop(), input=given)


async def release(gateway: Gateway, hold_id: str, **changes: Any) -> Any:
    """The payload of `releasePoints`, sent by the shop."""
    given = {"holdId": hold_id, "idempotencyKey": "release-1"} | changes
    return await gateway.send("ReleasePoints", await gateway.shop(), input=given)


async def transfer(gateway: Gateway, giver: Session, taker: Session, **changes: Any) -> Any:
    """The payload of `transferPoints`, sent by the giver: 30 points where nothing is changed."""
    given = {
        "toMember": {"id": taker.member_id},
        "points": 30,
        "idempotencyKey": "transfer-1",
    } | changes
    return await gateway.send("TransferPoints", giver.access_token, input=given)


async def journal(gateway: Gateway, session: Session) -> list[tuple[str, int, int]]:
    """The member's journal, newest first: kind, amount, balance afterwards."""
    answer = await gateway.send("LedgerPage", await token_of(gateway, session), first=50)
    nodes = answer["ledger"]["nodes"]
    return [(one["kind"], one["amount"], one["balanceAfter"]) for one in nodes]


def refused(payload: Any) -> dict[str, Any]:
    """The one refusal of a payload whose other fields are null."""
    [error] = payload.pop("userErrors")
    assert set(payload.values()) == {None}
    told: dict[str, Any] = error
    return told


def codes(payload: Any) -> list[str]:
    """The codes of a payload's refusals."""
    return [error["code"] for error in payload["userErrors"]]
