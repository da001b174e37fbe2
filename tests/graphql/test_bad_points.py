"""Bad input to every operation that moves points: a coded refusal each, and nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from domain.access import CallerKind, StaffRole
from domain.ledger import POINTS_MAX, verify_account
from domain.storage import execute
from tests.domain.ledger.kept import accounts_kept
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import Kept, everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import balance, capture, earn, held, release, transfer
from tests.graphql.programme import CLERK, open_account, open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = global_id("Member", "01977c1e-0000-7000-8000-000000000000")
TOO_MANY = POINTS_MAX + 1
SECOND = "second-clerk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Alice has 60 points of 101, 30 are held; Bob has one; Carol's account is frozen."""

    gateway: Gateway
    alice: Session
    bob: Session
    carol: Session
    open: str
    captured: str
    released: str
    ran_out: str
    carols: str
    adjustments: dict[str, str]
    kept: Kept

    async def code(self, name: str, token: str, given: Mapping[str, Any]) -> str:
        """The code of the refusal of an operation, wherever it is told."""
        response = await self.gateway.ask(operation(name), {"input": given}, token=token)
        body = response.json()
        if "errors" in body:
            assert not any((body.get("data") or {}).values()), body
            return str(body["errors"][0]["extensions"]["code"])
        [payload] = body["data"].values()
        [error] = payload.pop("userErrors")
        assert set(payload.values()) == {None}, body
        assert error["message"]
        return str(error["code"])


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="at")
async def _scene(shared_gateway: Gateway) -> Scene:
    gateway = shared_gateway
    alice, bob, carol = [
        await gateway.sign_in(openid) for openid in ("o-alice", "o-bob", "o-carol")
    ]
    await earn(gateway, alice, 100)
    await earn(gateway, carol, 100, order_id="C")
    holds = {}
    for name, points in (("captured", 10), ("released", 10), ("ran out", 10), ("open", 30)):
        holds[name] = await held(
            gateway,
            alice,
            points,
            reference=name,
            idempotencyKey=name,
            expiresInMinutes=1 if name == "ran out" else 60,
        )
    await capture(gateway, holds["captured"], idempotencyKey="captured")
    await release(gateway, holds["released"], idempotencyKey="released")
    carols = await held(gateway, carol, 10, reference="c", idempotencyKey="c")
    assert (await transfer(gateway, alice, bob, points=1))["userErrors"] == []
    adjustments = await _adjustments(gateway, alice, carol)
    await execute(
        "UPDATE points_account SET frozen_at = $1 WHERE member_id = $2", NOW, carol.member
    )
    await open_shop("another-shop", now=NOW)
    gateway.clock.advance(minutes=1)
    # What ran out is back: 100 − 10 captured − 30 held − 1 given + 1 by an adjustment.
    assert (await balance(gateway, alice))["available"] == 60
    for session in (alice, bob, carol):
        assert await verify_account(session.member) == []
    return Scene(
        gateway=gateway,
        alice=alice,
        bob=bob,
        carol=carol,
        open=holds["open"],
        captured=holds["captured"],
        released=holds["released"],
        ran_out=holds["ran out"],
        carols=carols,
        adjustments=adjustments,
        kept=await everything_kept(),
    )


async def _adjustments(gateway: Gateway, alice: Session, carol: Session) -> dict[str, str]:
    """Those that the clerk asked for, by name; a second clerk approved the last."""
    found = {}
    for name, whose, points in (
        ("applied", alice, 1),
        ("waiting", alice, 5_000),
        ("too low", alice, -5_000),
        ("approved", carol, 2_000),
    ):
        given = {
            "member": {"id": whose.member_id},
            "points": points,
            "reason": "补偿",
            "idempotencyKey": name,
        }
        answer = await gateway.send("AdjustPoints", await gateway.staff(), input=given)
        assert answer["userErrors"] == []
        found[name] = str(answer["adjustment"]["id"])
    await open_account(CallerKind.STAFF, SECOND, *StaffRole, now=NOW)
    approval = {"adjustmentId": found["approved"], "idempotencyKey": "approved"}
    second = await gateway.token_of(SECOND)
    answer = await gateway.send("ApproveAdjustment", second, input=approval)
    assert answer["userErrors"] == []
    return found


Cases = dict[str, tuple[dict[str, Any], str]]


async def refused(at: Scene, name: str, token: str, *, sound: dict[str, Any], cases: Cases) -> None:
    """Each change to the sound input is refused with its code and changes nothing."""
    before = await accounts_kept()
    for what, (changes, code) in cases.items():
        found = await at.code(name, token, sound | changes)
        assert found == code, (name, what)
        assert await accounts_kept() == before, (name, what)
    assert await everything_kept() == at.kept


def amounts(over: int, code: str = "INSUFFICIENT_POINTS") -> Cases:
    """What no operation takes as points, and `over`, which is more than there is."""
    return {
        "zero": ({"points": 0}, "POINTS_OUT_OF_RANGE"),
        "negative": ({"points": -1}, "POINTS_OUT_OF_RANGE"),
        "over 2^53": ({"points": TOO_MANY}, "BAD_USER_INPUT"),
        "a fraction": ({"points": 0.5}, "BAD_USER_INPUT"),
        "too many": ({"points": over}, code),
    }


async def test_holds_of_what_is_not_there(at: Scene) -> None:
    sound = {
        "member": {"id": at.alice.member_id},
        "points": 5,
        "reference": "new",
        "idempotencyKey": "new",
    }
    cases: Cases = amounts(61) | {
        "unknown member": ({"member": {"id": NOBODY}}, "MEMBER_NOT_FOUND"),
        "frozen account": ({"member": {"id": at.carol.member_id}}, "ACCOUNT_FROZEN"),
        "same key, other input": ({"idempotencyKey": "open"}, "IDEMPOTENCY_CONFLICT"),
        "same order, other key": ({"reference": "open"}, "HOLD_EXISTS"),
        "no reference": ({"reference": ""}, "INVALID_INPUT"),
    }
    await refused(at, "HoldPoints", await at.gateway.shop(), sound=sound, cases=cases)


async def test_captures_and_releases_of_what_is_not_held(at: Scene) -> None:
    shop = await at.gateway.shop()
    sound = {"holdId": at.open, "idempotencyKey": "new"}
    closed: Cases = {
        "captured": ({"holdId": at.captured}, "HOLD_NOT_OPEN"),
        "released": ({"holdId": at.released}, "HOLD_NOT_OPEN"),
        "ran out": ({"holdId": at.ran_out}, "HOLD_NOT_OPEN"),
    }
    cases: Cases = (
        closed
        | amounts(31)
        | {
            "frozen account": ({"holdId": at.carols}, "ACCOUNT_FROZEN"),
            "same key, other hold": ({"idempotencyKey": "captured"}, "IDEMPOTENCY_CONFLICT"),
            "same key, other points": (
                {"holdId": at.captured, "idempotencyKey": "captured", "points": 9},
                "IDEMPOTENCY_CONFLICT",
            ),
        }
    )
    await refused(at, "CapturePoints", shop, sound=sound, cases=cases)
    cases = closed | {"same key": ({"idempotencyKey": "released"}, "IDEMPOTENCY_CONFLICT")}
    await refused(at, "ReleasePoints", shop, sound=sound, cases=cases)
    # Another shop's hold is like one that does not exist.
    other = await at.gateway.token_of("another-shop")
    for name in ("CapturePoints", "ReleasePoints"):
        await refused(at, name, other, sound=sound, cases={"another's": ({}, "HOLD_NOT_OPEN")})


async def test_transfers_of_what_is_not_there(at: Scene) -> None:
    sound = {"toMember": {"id": at.bob.member_id}, "points": 5, "idempotencyKey": "new"}
    cases: Cases = amounts(61) | {
        "unknown member": ({"toMember": {"id": NOBODY}}, "MEMBER_NOT_FOUND"),
        "to oneself": ({"toMember": {"id": at.alice.member_id}}, "INVALID_INPUT"),
        "same key, other input": ({"idempotencyKey": "transfer-1"}, "IDEMPOTENCY_CONFLICT"),
    }
    await refused(at, "TransferPoints", at.alice.access_token, sound=sound, cases=cases)
    frozen: Cases = {"frozen account": ({}, "ACCOUNT_FROZEN")}
    await refused(at, "TransferPoints", at.carol.access_token, sound=sound, cases=frozen)
    more: Cases = {"more than was given": ({"points": 2}, "INSUFFICIENT_POINTS")}
    back = sound | {"toMember": {"id": at.alice.member_id}}
    await refused(at, "TransferPoints", at.bob.access_token, sound=back, cases=more)


async def test_adjustments_of_what_cannot_be(at: Scene) -> None:
    sound = {
        "member": {"id": at.alice.member_id},
        "points": 5,
        "reason": "补偿",
        "idempotencyKey": "new",
    }
    cases: Cases = {
        "zero": ({"points": 0}, "POINTS_OUT_OF_RANGE"),
        "over 2^53": ({"points": TOO_MANY}, "BAD_USER_INPUT"),
        "under -2^53": ({"points": -TOO_MANY}, "BAD_USER_INPUT"),
        "below zero": ({"points": -61}, "INSUFFICIENT_POINTS"),
        "unknown member": ({"member": {"id": NOBODY}}, "MEMBER_NOT_FOUND"),
        "frozen account": (
            {"member": {"id": at.carol.member_id}, "points": -1},
            "ACCOUNT_FROZEN",
        ),
        "no reason": ({"reason": ""}, "INVALID_INPUT"),
        "same key, other input": (
            {"idempotencyKey": "applied"},
            "IDEMPOTENCY_CONFLICT",
        ),
    }
    await refused(at, "AdjustPoints", await at.gateway.staff(), sound=sound, cases=cases)


async def test_approvals_of_what_cannot_be(at: Scene) -> None:
    requester, other = [await at.gateway.token_of(code) for code in (CLERK, SECOND)]
    sound = {"adjustmentId": at.adjustments["waiting"], "idempotencyKey": "new"}
    by_requester: Cases = {
        "by the requester": ({}, "APPROVAL_BY_REQUESTER"),
        "own, which was applied": (
            {"adjustmentId": at.adjustments["applied"]},
            "APPROVAL_BY_REQUESTER",
        ),
    }
    await refused(at, "ApproveAdjustment", requester, sound=sound, cases=by_requester)
    cases: Cases = {
        "twice": ({"adjustmentId": at.adjustments["approved"]}, "ADJUSTMENT_NOT_PENDING"),
        "below zero": ({"adjustmentId": at.adjustments["too low"]}, "INSUFFICIENT_POINTS"),
        "unknown": ({"adjustmentId": global_id("Adjustment", UUID(int=1))}, "ADJUSTMENT_UNKNOWN"),
        "no adjustment's id": ({"adjustmentId": at.alice.member_id}, "BAD_ID"),
        "same key, other input": ({"idempotencyKey": "approved"}, "IDEMPOTENCY_CONFLICT"),
    }
    await refused(at, "ApproveAdjustment", other, sound=sound, cases=cases)
