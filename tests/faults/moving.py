"""Every way of moving points, each as work that can be begun again: a table for the tests.

A row says how to make ready (untouched by faults) and what is sent then, always the same under one
key; `entries` counts the entries that it writes, or what else the statement `counts` does. A new
mutation that moves points is a new row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from domain.access import CallerKind, StaffRole
from domain.ledger import NEVER, Earn, EntryKind, Key, Redeem, Source, post_one
from domain.ledger.commands import GiveBack, Mature, Posted, TakeBack
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.orders import order
from tests.graphql.programme import open_account

ABOVE_WHAT_ONE_MAY: Final = 5_000
"""Points that no member of staff adjusts alone."""

Act = Callable[[], Awaitable[Any]]
"""Sends it; raises AssertionError where it is refused."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway, two members with points to spend, and everybody's tokens."""

    gateway: Gateway
    alice: Session
    bob: Session
    shop: str
    clerk: str
    second_clerk: str

    def send(self, name: str, token: str, **fields: Any) -> Act:
        """A mutation that succeeds, whenever it is sent."""

        async def act() -> Any:
            payload = await self.gateway.send(name, token, input=fields)
            assert payload.pop("userErrors") == [], payload
            return payload

        return act

    def post(self, command: Any) -> Act:
        """A command of the ledger, which no mutation sends yet."""
        return lambda: post_one(command, now=NOW)


@dataclass(frozen=True, slots=True)
class Move:
    """A row of the table. `ready` prepares the move that this key names, and returns it.

    `floors` are the await points at which it is cut at least, in the short form and in full.
    """

    name: str
    ready: Callable[[Stage, str], Awaitable[Act]]
    entries: int = 1
    counts: str = "SELECT COUNT(*) AS n FROM points_entry"
    floors: tuple[int, int] = (6, 24)


async def stage_of(gateway: Gateway) -> Stage:
    """The stage, with what the moves need."""
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await open_account(CallerKind.STAFF, "second-clerk", *StaffRole, now=NOW)
    stage = Stage(
        gateway=gateway,
        alice=alice,
        bob=bob,
        shop=await gateway.shop(),
        clerk=await gateway.staff(),
        second_clerk=await gateway.token_of("second-clerk"),
    )
    await post_one(_earn(alice.member, "stake", points=1_000_000), now=NOW)
    return stage


async def _record_purchases(stage: Stage, key: str) -> Act:
    orders = [order(key, stage.alice.member_id)]
    return stage.send("RecordPurchases", stage.shop, batchId=key, orders=orders)


async def _hold(stage: Stage, key: str) -> Act:
    return stage.send(
        "HoldPoints",
        stage.shop,
        member={"id": stage.alice.member_id},
        points=3,
        reference=f"order-{key}",
        idempotencyKey=key,
    )


async def _held(stage: Stage, key: str) -> str:
    payload = await (await _hold(stage, f"for-{key}"))()
    hold_id: str = payload["hold"]["id"]
    return hold_id


async def _capture(stage: Stage, key: str) -> Act:
    hold_id = await _held(stage, key)
    return stage.send("CapturePoints", stage.shop, holdId=hold_id, points=2, idempotencyKey=key)


async def _release(stage: Stage, key: str) -> Act:
    hold_id = await _held(stage, key)
    return stage.send("ReleasePoints", stage.shop, holdId=hold_id, idempotencyKey=key)


async def _transfer(stage: Stage, key: str) -> Act:
    return stage.send(
        "TransferPoints",
        stage.alice.access_token,
        toMember={"id": stage.bob.member_id},
        points=2,
        idempotencyKey=key,
    )


async def _redeem(stage: Stage, key: str) -> Act:
    return stage.post(
        Redeem(member_id=stage.alice.member, points=2, source=_source(key), key=_key(key))
    )


async def _mature(stage: Stage, key: str) -> Act:
    pending = await post_one(_earn(stage.alice.member, f"for-{key}", matures_at=NEVER), now=NOW)
    return stage.post(
        Mature(
            member_id=stage.alice.member,
            entry_seq=pending.seq,
            source=_source(key),
            key=_key(key),
        )
    )


async def _take_back(stage: Stage, key: str) -> Act:
    earned = await post_one(_earn(stage.alice.member, f"for-{key}"), now=NOW)
    return stage.post(
        TakeBack(
            member_id=stage.alice.member,
            entry_seq=earned.seq,
            points=5,
            source=_source(key),
            key=_key(key),
        )
    )


async def _give_back(stage: Stage, key: str) -> Act:
    spent: Posted = await (await _redeem(stage, f"for-{key}"))()
    assert spent.kind is EntryKind.REDEEM
    return stage.post(
        GiveBack(
            member_id=stage.alice.member,
            entry_seq=spent.seq,
            points=1,
            grace_until=NEVER,
            source=_source(key),
            key=_key(key),
        )
    )


async def _adjust(stage: Stage, key: str) -> Act:
    return _adjustment(stage, key, points=-1)


async def _approve(stage: Stage, key: str) -> Act:
    payload = await _adjustment(stage, f"for-{key}", points=ABOVE_WHAT_ONE_MAY)()
    return stage.send(
        "ApproveAdjustment",
        stage.second_clerk,
        adjustmentId=payload["adjustment"]["id"],
        idempotencyKey=key,
    )


def _adjustment(stage: Stage, key: str, *, points: int) -> Act:
    return stage.send(
        "AdjustPoints",
        stage.clerk,
        member={"id": stage.alice.member_id},
        points=points,
        reason="counted wrongly",
        idempotencyKey=key,
    )


MOVES: Final = (
    Move("recordPurchases", _record_purchases),
    Move("holdPoints", _hold),
    Move("capturePoints", _capture),
    Move("releasePoints", _release),
    Move("transferPoints", _transfer, entries=2),
    Move("redeem", _redeem),
    Move("mature", _mature),
    Move("takeBack", _take_back),
    Move("giveBack", _give_back),
    Move("adjustPoints", _adjust),
    Move("approveAdjustment", _approve),
)


def _earn(member_id: UUID, name: str, *, points: int = 9, matures_at: Any = None) -> Earn:
    return Earn(
        member_id=member_id,
        points=points,
        source=_source(name),
        effective_at=NOW,
        matures_at=matures_at,
        expires_at=NEVER,
        key=_key(name),
    )


def _source(name: str) -> Source:
    return Source(kind="fault", reference=name)


def _key(name: str) -> Key:
    return Key(scope="fault", key=name)
