"""Every table of examples in docs/rewards.md is what happens."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain import rewards
from domain.errors import CouponBelowMinimum, Refusal
from domain.rewards import CouponOff, CouponStatus, CouponValue, Redemption, ShipRedemption
from domain.rewards.rules import (
    CouponState,
    Order,
    as_of,
    confirm,
    discount_fen,
    goes_together,
    release,
    reserve,
)
from tests.domain.ledger.commands import ALICE, NOW, SHANGHAI
from tests.domain.rewards.counter import (
    CLERK,
    MUG,
    cancelled,
    give,
    kept,
    points,
    redeemed,
    stock,
)
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "rewards.md").read_text()
HALF_HOUR = timedelta(minutes=30)


def tables(header: str) -> list[tuple[str, list[list[str]]]]:
    """The tables that begin with this header: the line before each, and its rows."""
    found = re.findall(rf"([^\n]*)\n\n\| {re.escape(header)} \|\n[-|]+\n((?:\|.*\n)+)", PAGE)
    return [
        (
            above,
            [[cell.strip() for cell in row.strip("|").split("|")] for row in body.splitlines()],
        )
        for above, body in found
    ]


def moment(text: str) -> datetime:
    """A local moment of March or April 2026."""
    return (
        datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI).astimezone(UTC)
    )


def fen(yuan: str) -> int:
    return int(Decimal(yuan) * 100)


# What a coupon takes off.


def value_of(text: str) -> CouponValue:
    if text == "a voucher":
        return CouponValue()
    found = re.fullmatch(r"([\d.]+)( %)? off(?: from (\d+))?(?: up to (\d+))?", text)
    assert found is not None, text
    number, share, least, most = found.groups()
    return CouponValue(
        off=CouponOff.SHARE if share else CouponOff.AMOUNT,
        value=int(Decimal(number) * 10) if share else fen(number),
        amount_min_fen=fen(least or "0"),
        discount_max_fen=fen(most) if most else None,
    )


[(_, DISCOUNTS)] = tables("coupon | amount | takes off")


@pytest.mark.parametrize(("coupon", "amount", "expected"), DISCOUNTS)
def test_what_is_taken_off(coupon: str, amount: str, expected: str) -> None:
    value = value_of(coupon)
    fresh = CouponState(status=CouponStatus.ACTIVE, expires_at=NOW + HALF_HOUR, value=value)
    order = Order(owner="shop", reference="A")
    if expected == "COUPON_BELOW_MINIMUM":
        with pytest.raises(CouponBelowMinimum):
            reserve(fresh, order, amount_fen=fen(amount), lasting=HALF_HOUR, now=NOW)
        return
    made = reserve(fresh, order, amount_fen=fen(amount), lasting=HALF_HOUR, now=NOW)
    assert made.discount_fen == discount_fen(value, amount_fen=fen(amount)) == fen(expected)


# A coupon at the till.

AT_THE_TILL = tables("when | what | answer | afterwards")


@pytest.mark.parametrize("number", range(len(AT_THE_TILL)))
def test_a_coupon_at_the_till(number: int) -> None:
    coupon = CouponState(
        status=CouponStatus.ACTIVE,
        expires_at=moment("04-01 00:00"),
        value=value_of("10 off from 50"),
    )
    for when, what, answer, afterwards in AT_THE_TILL[number][1]:
        now = moment(when)
        who, verb, *amount = what.split()
        order = Order(owner="shop", reference=who)
        try:
            if verb == "reserves":
                coupon = reserve(
                    coupon, order, amount_fen=fen(amount[0]), lasting=HALF_HOUR, now=now
                )
            else:
                coupon = {"confirms": confirm, "releases": release}[verb](coupon, order, now=now)
        except Refusal as refusal:
            told = refusal.code.value
        else:
            told = coupon.status.value
            if coupon.discount_fen is not None:
                told += f", {coupon.discount_fen // 100} off"
        assert (told, as_of(coupon, now=now).status.value) == (answer, afterwards), (when, what)


[(_, TOGETHER)] = tables("the order has | joins | answer")


@pytest.mark.parametrize(("has", "joins", "answer"), TOGETHER)
def test_which_go_together(has: str, joins: str, answer: str) -> None:
    stacks = {"one that stacks": True, "one that does not stack": False}
    others = [] if has == "nothing" else [stacks[has]]
    assert goes_together(stacks[joins], others) == (answer == "yes")


# Redemptions.

REDEMPTIONS = tables("when | what | answer | stock | points")


@dataclass(slots=True)
class Story:
    """A gift, and the redemptions of the example by their names."""

    home: UUID
    found: dict[str, Redemption] = field(default_factory=dict)

    async def act(self, what: str, now: datetime) -> str:
        """Do what a row says; the answer as the page tells it."""
        verb, *words = what.split()
        if verb == "look":
            return ""
        try:
            made = await self.verbs[verb](self, words, now)
        except Refusal as refusal:
            return refusal.code.value
        return f"{words[-1] if verb == 'redeem' else words[0]} {made.status}"

    async def redeem(self, words: list[str], now: datetime) -> Redemption:
        quantity, _, name = words
        made = await redeemed(MUG, name, now=now, quantity=int(quantity))
        self.found[name] = made
        return made

    async def cancel(self, words: list[str], now: datetime) -> Redemption:
        return await cancelled(self.found[words[0]], " ".join(words), now=now)

    async def address(self, words: list[str], now: datetime) -> Redemption:
        return await rewards.set_redemption_address(
            ALICE, redemption_id=self.found[words[0]].id, address_id=self.home, now=now
        )

    async def ship(self, words: list[str], now: datetime) -> Redemption:
        found = self.found[words[0]]
        sent = ShipRedemption(member_id=ALICE, redemption_id=found.id, carrier="c", number="1")
        return await rewards.ship_redemption(sent, by=CLERK, now=now)

    async def deliver(self, words: list[str], now: datetime) -> Redemption:
        return await rewards.deliver_redemption(
            ALICE, redemption_id=self.found[words[0]].id, by=CLERK, now=now
        )

    verbs: dict[str, Callable[[Story, list[str], datetime], Awaitable[Redemption]]] = field(
        init=False
    )

    def __post_init__(self) -> None:
        self.verbs = {
            "redeem": Story.redeem,
            "cancel": Story.cancel,
            "address": Story.address,
            "ship": Story.ship,
            "deliver": Story.deliver,
        }


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("number", range(len(REDEMPTIONS)))
async def test_a_redemption_goes_on(number: int) -> None:
    above, rows = REDEMPTIONS[number]
    given = re.search(r"the member has ([\d,]+) points", above)
    assert given is not None, above
    once = "may have once" in above
    gift = replace(MUG, stock=None if once else 2, per_member=1 if once else None)
    await rewards.define_rewards([gift], now=NOW)
    await give(int(given[1].replace(",", "")), expires=moment("03-10 00:00"))
    story = Story(home=(await kept()).id)
    for when, what, answer, left, available in rows:
        now = moment(when)
        assert await story.act(what, now) == answer, (when, what)
        assert await stock(gift) == (int(left) if left else None), (when, what)
        assert await points(now=now) == int(available), (when, what)


def test_no_table_was_passed_over() -> None:
    assert (len(DISCOUNTS), len(AT_THE_TILL), len(TOGETHER), len(REDEMPTIONS)) == (8, 2, 4, 4)
