"""What may become of a coupon, decided purely: case by case, and over random histories."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import (
    CouponBelowMinimum,
    CouponExpired,
    CouponNotReserved,
    CouponRefusal,
    CouponReserved,
    CouponRevoked,
    CouponUnknown,
    CouponUsed,
    RedemptionNotCancellable,
)
from domain.rewards import CouponOff, CouponStatus, CouponValue
from domain.rewards.codes import ALPHABET, as_printed, new_code
from domain.rewards.rules import (
    CouponState,
    Order,
    as_of,
    confirm,
    discount_fen,
    goes_together,
    release,
    reserve,
    revoke,
)
from tests.domain.ledger.commands import NOW

HALF_HOUR = timedelta(minutes=30)
MINE, OTHER, FOREIGN = (
    Order(owner="a", reference="1"),
    Order(owner="a", reference="2"),
    Order(owner="b", reference="1"),
)
FRESH = CouponState(
    status=CouponStatus.ACTIVE,
    expires_at=NOW + timedelta(hours=1),
    value=CouponValue(off=CouponOff.AMOUNT, value=1_000, amount_min_fen=5_000),
)
RESERVED = reserve(FRESH, MINE, amount_fen=9_000, lasting=HALF_HOUR, now=NOW)
USED = confirm(RESERVED, MINE, now=NOW)
REVOKED = revoke(FRESH, now=NOW)


@pytest.mark.parametrize(
    ("off", "value", "most", "amount", "expected"),
    [
        (CouponOff.AMOUNT, 1_000, None, 9_000, 1_000),
        (CouponOff.AMOUNT, 1_000, None, 999, 999),
        (CouponOff.AMOUNT, 1_000, 400, 9_000, 400),
        (CouponOff.SHARE, 125, None, 9_999, 1_249),
        (CouponOff.SHARE, 1_000, None, 9_999, 9_999),
        (CouponOff.SHARE, 100, 500, 9_999, 500),
        (CouponOff.SHARE, 1_000, None, 2**53 - 1, 2**53 - 1),
        (None, 0, None, 9_000, 0),
    ],
)
def test_what_a_coupon_takes_off(
    off: CouponOff | None, value: int, most: int | None, amount: int, expected: int
) -> None:
    made = CouponValue(off=off, value=value, discount_max_fen=most)
    assert discount_fen(made, amount_fen=amount) == expected


def test_a_reservation_keeps_what_was_decided_and_runs_out() -> None:
    assert (RESERVED.discount_fen, RESERVED.reserved_until) == (1_000, NOW + HALF_HOUR)
    later = NOW + timedelta(minutes=10)
    assert reserve(RESERVED, MINE, amount_fen=9_000, lasting=HALF_HOUR, now=later) == RESERVED
    moved = reserve(RESERVED, MINE, amount_fen=8_000, lasting=HALF_HOUR, now=later)
    assert moved.reserved_until == later + HALF_HOUR
    assert as_of(RESERVED, now=NOW + HALF_HOUR) == FRESH
    assert as_of(RESERVED, now=FRESH.expires_at).status is CouponStatus.EXPIRED
    # Reserved in time, it is honoured beyond its own end, until the reservation runs out.
    late = replace(FRESH, expires_at=NOW + timedelta(minutes=1))
    held = reserve(late, MINE, amount_fen=9_000, lasting=HALF_HOUR, now=NOW)
    assert confirm(held, MINE, now=NOW + timedelta(minutes=29)).status is CouponStatus.USED
    with pytest.raises(CouponExpired):
        confirm(held, MINE, now=NOW + HALF_HOUR)
    assert release(held, MINE, now=NOW + timedelta(minutes=2)).status is CouponStatus.EXPIRED


def test_no_other_amount_keeps_an_expired_coupon_alive() -> None:
    late = replace(FRESH, expires_at=NOW + timedelta(minutes=20))
    held = reserve(late, MINE, amount_fen=9_000, lasting=HALF_HOUR, now=NOW)
    for minutes in range(1, 20):
        now = NOW + timedelta(minutes=minutes)
        held = reserve(held, MINE, amount_fen=9_000 + minutes, lasting=HALF_HOUR, now=now)
        assert held.reserved_until == now + HALF_HOUR
    # Its time is over: the shop may still take something off the order, and no longer for that.
    end = NOW + timedelta(minutes=49)
    for minutes in range(20, 49):
        now = NOW + timedelta(minutes=minutes)
        held = reserve(held, MINE, amount_fen=9_000 - minutes, lasting=HALF_HOUR, now=now)
        assert (held.amount_fen, held.reserved_until) == (9_000 - minutes, end)
    with pytest.raises(CouponExpired):
        reserve(held, MINE, amount_fen=5_000, lasting=HALF_HOUR, now=end)


REFUSALS: list[tuple[str, CouponState, Order, type[Exception]]] = [
    ("reserve", RESERVED, OTHER, CouponReserved),
    ("reserve", RESERVED, FOREIGN, CouponReserved),
    ("reserve", USED, MINE, CouponUsed),
    ("reserve", REVOKED, MINE, CouponRevoked),
    ("confirm", FRESH, MINE, CouponNotReserved),
    ("confirm", RESERVED, OTHER, CouponReserved),
    ("confirm", RESERVED, FOREIGN, CouponUnknown),
    ("confirm", USED, OTHER, CouponUsed),
    ("confirm", USED, FOREIGN, CouponUnknown),
    ("confirm", REVOKED, MINE, CouponRevoked),
    ("release", FRESH, MINE, CouponNotReserved),
    ("release", RESERVED, OTHER, CouponReserved),
    ("release", RESERVED, FOREIGN, CouponUnknown),
    ("release", USED, MINE, CouponUsed),
    ("release", USED, FOREIGN, CouponUnknown),
]


@pytest.mark.parametrize(("verb", "coupon", "order", "refusal"), REFUSALS)
def test_what_is_refused(
    verb: str, coupon: CouponState, order: Order, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        act(coupon, verb, order)


def act(coupon: CouponState, verb: str, order: Order, **values: Any) -> CouponState:
    now = values.get("now", NOW)
    match verb:
        case "reserve":
            amount = values.get("amount_fen", 9_000)
            return reserve(coupon, order, amount_fen=amount, lasting=HALF_HOUR, now=now)
        case "confirm":
            return confirm(coupon, order, now=now)
        case "release":
            return release(coupon, order, now=now)
    return revoke(coupon, now=now)


def test_the_least_amount_and_what_goes_together() -> None:
    with pytest.raises(CouponBelowMinimum) as refused:
        act(FRESH, "reserve", MINE, amount_fen=4_999)
    assert refused.value.minimum_fen == 5_000
    assert act(FRESH, "reserve", MINE, amount_fen=5_000).discount_fen == 1_000
    assert goes_together(False, [])
    assert goes_together(False, [True, True])
    assert goes_together(True, [False])
    assert not goes_together(False, [True, False])


def test_only_a_whole_coupon_is_revoked() -> None:
    for coupon, state in [(RESERVED, "RESERVED"), (USED, "USED"), (REVOKED, "REVOKED")]:
        with pytest.raises(RedemptionNotCancellable) as refused:
            revoke(coupon, now=NOW)
        assert refused.value.state == f"COUPON_{state}"
    with pytest.raises(RedemptionNotCancellable):
        revoke(FRESH, now=FRESH.expires_at)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "confirm", "release", "revoke"]),
        st.sampled_from([MINE, OTHER, FOREIGN]),
        st.integers(0, 40),
        st.sampled_from([4_000, 6_000, 9_000]),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_a_coupon_is_used_once_by_whoever_reserved_it(
    steps: list[tuple[str, Order, int, int]],
) -> None:
    """Against a reckoning of its own: who has it until when, and whether it is gone."""
    coupon, now = FRESH, NOW
    has: tuple[Order, Any] | None = None
    ended: tuple[CouponStatus, Order | None] | None = None
    for verb, order, minutes, amount in steps:
        now += timedelta(minutes=minutes)
        if has is not None and has[1] <= now:
            has = None
        over = now >= FRESH.expires_at
        before = coupon
        try:
            coupon = act(coupon, verb, order, now=now, amount_fen=amount)
        except (CouponRefusal, RedemptionNotCancellable):
            assert coupon is before
        else:
            match verb:
                case "reserve":
                    assert ended is None
                    assert has is None or has[0] == order
                    assert has is not None or not over
                    assert amount >= 5_000
                    has = (order, coupon.reserved_until)
                case "confirm":
                    assert (has is not None and has[0] == order) or ended == (
                        CouponStatus.USED,
                        order,
                    )
                    ended, has = (CouponStatus.USED, order), None
                case "release":
                    assert ended is None
                    has = None
                case _:
                    assert ended is None
                    assert has is None
                    assert not over
                    ended = (CouponStatus.REVOKED, None)
        seen = as_of(coupon, now=now)
        if ended is not None:
            assert (seen.status, seen.order) == ended
        elif has is not None:
            assert (seen.status, seen.order) == (CouponStatus.RESERVED, has[0])
        else:
            assert seen.status is (CouponStatus.EXPIRED if over else CouponStatus.ACTIVE)
        assert as_of(seen, now=now) == seen


def test_codes_have_eighty_random_bits_and_are_read_as_they_are_typed() -> None:
    codes = {new_code() for _ in range(2_000)}
    assert len(codes) == 2_000
    # Every place takes every character: 2,000 draws miss one with a chance of 10^-27.
    places = zip(*(code.replace("-", "") for code in codes), strict=True)
    assert [set(place) for place in places] == [set(ALPHABET)] * 16
    assert as_printed("o1ab cdef-ghjk l234") == "01AB-CDEF-GHJK-1234"
    assert as_printed("01AB-CDEF-GHJK-1234") == "01AB-CDEF-GHJK-1234"
    assert as_printed("SUMMER-2026") == "SUMMER-2026"
    assert as_printed("UUUU-UUUU-UUUU-UUUU") == "UUUU-UUUU-UUUU-UUUU"
