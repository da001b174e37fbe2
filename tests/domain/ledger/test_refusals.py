"""Commands that cannot take effect: each is refused by its code and changes nothing at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from domain.errors import InvalidInput, Refusal
from domain.ledger import POINTS_MAX, Posted, post, verify_account
from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    GiveBack,
    Mature,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import Source
from domain.storage import execute
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, key, redeem
from tests.domain.ledger.kept import accounts_kept
from tests.graphql.kept import everything_kept

CAROL = UUID("01a20561-c68e-7607-9dc0-72a415743b12")
NOBODY = UUID("01a20561-c68e-7607-9dc0-72a415743b13")
OPEN, CAPTURED, RELEASED, RAN_OUT, CAROLS, UNKNOWN, FRESH = (UUID(int=n) for n in range(1, 8))
SHOP = Source(kind="checkout", reference="cart-1")
TOO_MANY = POINTS_MAX + 1


def hold(points: int, *, member_id: UUID = ALICE, hold_id: UUID = FRESH) -> SetAside:
    return SetAside(
        member_id=member_id,
        hold_id=hold_id,
        owner="shop",
        points=points,
        expires_at=NOW + days(1),
        source=SHOP,
    )


def capture(points: int | None, *, hold_id: UUID = OPEN, member_id: UUID = ALICE) -> Capture:
    return Capture(member_id=member_id, hold_id=hold_id, points=points, source=SHOP)


def release(hold_id: UUID, *, member_id: UUID = ALICE) -> Release:
    return Release(member_id=member_id, hold_id=hold_id, source=SHOP)


def take_back(
    points: int, *, entry: int = 1, cause: str = "r-9", member_id: UUID = ALICE
) -> TakeBack:
    source = Source(kind="refund", reference=cause)
    return TakeBack(member_id=member_id, entry_seq=entry, points=points, source=source)


def give_back(
    points: int, *, entry: int = 3, cause: str = "r-9", member_id: UUID = ALICE
) -> GiveBack:
    return GiveBack(
        member_id=member_id,
        entry_seq=entry,
        points=points,
        grace_until=NOW + days(30),
        source=Source(kind="refund", reference=cause),
    )


def transfer(points: int, *, to: UUID = BOB, member_id: UUID = ALICE) -> Transfer:
    source = Source(kind="transfer", reference="t-1")
    return Transfer(member_id=member_id, to_member_id=to, points=points, source=source)


def adjust(points: int, *, member_id: UUID = ALICE) -> Adjust:
    return Adjust(
        member_id=member_id,
        points=points,
        reason="补偿",
        source=Source(kind="adjustment", reference="a-1"),
        expires_at=NOW + days(30),
    )


def mature(entry: int, *, member_id: UUID = ALICE) -> Mature:
    source = Source(kind="delivery", reference="d-1")
    return Mature(member_id=member_id, entry_seq=entry, source=source)


async def scene() -> None:
    """Alice has 350 points, 50 are held, 100 pending; Bob has room for ten; Carol is frozen."""
    await took_effect(
        earn(500, expires=NOW + days(60)),
        earn(100, matures=NOW + days(30), expires=NOW + days(90)),
        redeem(80, known_as=key("redeemed")),
        hold(50, hold_id=OPEN),
        hold(40, hold_id=CAPTURED),
        capture(30, hold_id=CAPTURED),
        hold(20, hold_id=RELEASED),
        release(RELEASED),
        replace(hold(10, hold_id=RAN_OUT), expires_at=NOW),
    )
    await took_effect(take_back(10, cause="taken"), give_back(20, cause="given"))
    await took_effect(earn(POINTS_MAX - 10, member_id=BOB), earn(100, member_id=CAROL))
    await took_effect(hold(10, member_id=CAROL, hold_id=CAROLS))
    await execute("UPDATE points_account SET frozen_at = $1 WHERE member_id = $2", NOW, CAROL)
    for member_id in (ALICE, BOB, CAROL):
        assert await verify_account(member_id) == []


async def took_effect(*commands: Command) -> None:
    for outcome in await post(commands, now=NOW):
        assert isinstance(outcome, Posted), outcome


AMOUNTS: dict[str, Callable[[int], Command]] = {
    "earn": earn,
    "redeem": redeem,
    "hold": hold,
    "capture": capture,
    "take back": take_back,
    "give back": give_back,
    "transfer": transfer,
}
"""Every command that carries an amount, but an adjustment, which may be negative."""

BAD: dict[str, tuple[Command, str]] = {
    **{f"{name} 0": (made(0), "POINTS_OUT_OF_RANGE") for name, made in AMOUNTS.items()},
    **{f"{name} -1": (made(-1), "POINTS_OUT_OF_RANGE") for name, made in AMOUNTS.items()},
    **{f"{name} 2^53": (made(TOO_MANY), "POINTS_OUT_OF_RANGE") for name, made in AMOUNTS.items()},
    "adjust by 0": (adjust(0), "POINTS_OUT_OF_RANGE"),
    "adjust by 2^53": (adjust(TOO_MANY), "POINTS_OUT_OF_RANGE"),
    "adjust by -2^53": (adjust(-TOO_MANY), "POINTS_OUT_OF_RANGE"),
    "redeem over the balance": (redeem(351), "INSUFFICIENT_POINTS"),
    "redeem what is pending": (redeem(450), "INSUFFICIENT_POINTS"),
    "hold over the balance": (hold(351), "INSUFFICIENT_POINTS"),
    "transfer over the balance": (transfer(351), "INSUFFICIENT_POINTS"),
    "adjust below zero": (adjust(-351), "INSUFFICIENT_POINTS"),
    "earn over the range": (earn(11, member_id=BOB), "POINTS_OUT_OF_RANGE"),
    "be given over the range": (transfer(11), "POINTS_OUT_OF_RANGE"),
    "adjust over the range": (adjust(11, member_id=BOB), "POINTS_OUT_OF_RANGE"),
    "nobody redeems": (redeem(1, member_id=NOBODY), "INSUFFICIENT_POINTS"),
    "nobody holds": (hold(1, member_id=NOBODY), "INSUFFICIENT_POINTS"),
    "nobody captures": (capture(1, member_id=NOBODY), "HOLD_NOT_OPEN"),
    "nobody releases": (release(OPEN, member_id=NOBODY), "HOLD_NOT_OPEN"),
    "nobody gives": (transfer(1, member_id=NOBODY), "INSUFFICIENT_POINTS"),
    "nobody is adjusted": (adjust(-1, member_id=NOBODY), "INSUFFICIENT_POINTS"),
    "nobody gives points back": (take_back(1, member_id=NOBODY), "ENTRY_NOT_REVERSIBLE"),
    "nobody gets points back": (give_back(1, member_id=NOBODY), "ENTRY_NOT_REVERSIBLE"),
    "nobody's points mature": (mature(1, member_id=NOBODY), "ENTRY_NOT_REVERSIBLE"),
    "frozen: redeem": (redeem(1, member_id=CAROL), "ACCOUNT_FROZEN"),
    "frozen: hold": (hold(1, member_id=CAROL), "ACCOUNT_FROZEN"),
    "frozen: capture": (capture(1, hold_id=CAROLS, member_id=CAROL), "ACCOUNT_FROZEN"),
    "frozen: transfer": (transfer(1, member_id=CAROL), "ACCOUNT_FROZEN"),
    "frozen: adjust": (adjust(-1, member_id=CAROL), "ACCOUNT_FROZEN"),
    "a key with another amount": (redeem(81, known_as=key("redeemed")), "IDEMPOTENCY_CONFLICT"),
    "a key with another command": (earn(80, known_as=key("redeemed")), "IDEMPOTENCY_CONFLICT"),
    "a key of another member": (
        redeem(80, member_id=BOB, known_as=key("redeemed")),
        "IDEMPOTENCY_CONFLICT",
    ),
    "transfer to oneself": (transfer(1, to=ALICE), "INVALID_INPUT"),
    "capture twice": (capture(1, hold_id=CAPTURED), "HOLD_NOT_OPEN"),
    "capture all, twice": (capture(None, hold_id=CAPTURED), "HOLD_NOT_OPEN"),
    "release what was captured": (release(CAPTURED), "HOLD_NOT_OPEN"),
    "capture what was released": (capture(1, hold_id=RELEASED), "HOLD_NOT_OPEN"),
    "release twice": (release(RELEASED), "HOLD_NOT_OPEN"),
    "capture what ran out": (capture(1, hold_id=RAN_OUT), "HOLD_NOT_OPEN"),
    "capture over the hold": (capture(51), "INSUFFICIENT_POINTS"),
    "capture an unknown hold": (capture(1, hold_id=UNKNOWN), "HOLD_NOT_OPEN"),
    "capture another's hold": (capture(1, member_id=BOB), "HOLD_NOT_OPEN"),
    "refund over the payment": (take_back(491), "REVERSAL_EXCEEDS"),
    "give back more than was spent": (give_back(61), "REVERSAL_EXCEEDS"),
    "the same refund again": (take_back(1, cause="taken"), "REVERSED_BEFORE"),
    "the same points back again": (give_back(1, cause="given"), "REVERSED_BEFORE"),
    "take back a reversal": (take_back(1, entry=11), "ENTRY_NOT_REVERSIBLE"),
    "give back a reversal": (give_back(1, entry=11), "ENTRY_NOT_REVERSIBLE"),
    "take back a redemption": (take_back(1, entry=3), "ENTRY_NOT_REVERSIBLE"),
    "give back an earning": (give_back(1, entry=1), "ENTRY_NOT_REVERSIBLE"),
    "give back a hold": (give_back(1, entry=4), "ENTRY_NOT_REVERSIBLE"),
    "give back a release": (give_back(1, entry=8), "ENTRY_NOT_REVERSIBLE"),
    "take back an unknown entry": (take_back(1, entry=99), "ENTRY_NOT_REVERSIBLE"),
    "mature what has matured": (mature(1), "ENTRY_NOT_REVERSIBLE"),
    "mature a redemption": (mature(3), "ENTRY_NOT_REVERSIBLE"),
}


@pytest.mark.usefixtures("database")
async def test_each_is_refused_by_its_code_and_nothing_changes() -> None:
    await scene()
    whole, before = await everything_kept(), await accounts_kept()
    for what, (command, code) in BAD.items():
        [outcome] = await post([command], now=NOW)
        assert isinstance(outcome, Refusal), (what, outcome)
        assert outcome.code.value == code, (what, outcome)
        assert await accounts_kept() == before, what
    assert await everything_kept() == whole


@pytest.mark.usefixtures("database")
async def test_a_transfer_to_oneself_names_its_field() -> None:
    [outcome] = await post([transfer(1, to=ALICE)], now=NOW)
    assert isinstance(outcome, InvalidInput)
    assert outcome.field == ("to_member",)


@pytest.mark.usefixtures("database")
async def test_in_one_batch_they_leave_nothing_and_hinder_nobody() -> None:
    await scene()
    before = await everything_kept()
    commands = [command for command, _ in BAD.values()]
    outcomes = await post(commands, now=NOW)
    codes = [one.code.value for one in outcomes if isinstance(one, Refusal)]
    assert codes == [code for _, code in BAD.values()]
    assert await everything_kept() == before
    # Refusals do not carry over: what is sound in the same batch takes effect.
    [*others, sound] = await post([*commands, redeem(350)], now=NOW)
    assert isinstance(sound, Posted)
    assert sound.balance_after == 0
    assert Counter(type(one) for one in others)[Posted] == 0
    assert await verify_account(ALICE) == []
