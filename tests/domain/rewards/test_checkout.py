"""Coupons at the till; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain import rewards
from domain.errors import (
    CouponBelowMinimum,
    CouponExpired,
    CouponNotReserved,
    CouponNotStackable,
    CouponReserved,
    CouponRevoked,
    CouponUnknown,
    CouponUsed,
    IdempotencyConflict,
    InvalidInput,
    Refusal,
)
from domain.outbox import stream
from domain.revisions import revision
from domain.rewards import CouponStatus, RewardRules, checkout
from tests.domain.ledger.commands import ALICE, NOW
from tests.domain.rewards.counter import (
    DRAW,
    TEN_OFF,
    TENTH_OFF,
    cancelled,
    coupon_of,
    open_counter,
    redeemed,
    reserve,
    using,
    wallet,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

HALF_HOUR = timedelta(minutes=30)
ACTIVE, RESERVED, USED = CouponStatus.ACTIVE, CouponStatus.RESERVED, CouponStatus.USED


async def statuses(**values: Any) -> list[CouponStatus]:
    return [one.status for one in await wallet(**values)]


async def test_an_order_reserves_a_coupon_and_uses_it_up() -> None:
    await open_counter()
    coupon = await coupon_of()
    found = await reserve(coupon)
    assert (found.status, found.discount_fen, found.reserved_until) == (
        RESERVED,
        1_000,
        NOW + HALF_HOUR,
    )
    assert found.key == coupon.key
    assert await statuses() == [RESERVED]
    used = await rewards.confirm_coupon(using(coupon), now=NOW)
    assert (used.status, used.discount_fen) == (USED, 1_000)
    assert await statuses() == [USED]
    again = await rewards.confirm_coupon(using(coupon, key="another"), now=NOW)
    assert again == used
    told = await stream(ALICE, after=0, limit=20)
    assert [(one.kind, one.facts["discount_fen"]) for one in told if "Coupon" in one.kind] == [
        ("CouponReserved", 1_000),
        ("CouponUsed", 1_000),
    ]


async def test_a_coupon_that_is_let_go_is_good_again() -> None:
    await open_counter()
    coupon = await coupon_of()
    await reserve(coupon)
    assert (await rewards.release_coupon(using(coupon), now=NOW)).status is ACTIVE
    assert await statuses() == [ACTIVE]
    assert (await reserve(coupon, "o-2")).status is RESERVED


async def test_a_reservation_runs_out_by_itself() -> None:
    """Nothing sweeps: what a reader is shown, and the next order gets, follows the clock."""
    await open_counter()
    coupon = await coupon_of()
    await reserve(coupon, rules=RewardRules(reservation_minutes=5))
    over = NOW + timedelta(minutes=5)
    with pytest.raises(CouponReserved) as refused:
        await reserve(coupon, "o-2", now=over - timedelta(microseconds=1))
    assert refused.value.until == over
    assert (await statuses(now=over), await statuses()) == ([ACTIVE], [RESERVED])
    before = await revision(ALICE, now=over - timedelta(microseconds=1))
    assert (await revision(ALICE, now=over)).moments != before.moments
    with pytest.raises(CouponNotReserved):
        await rewards.confirm_coupon(using(coupon), now=over)
    assert (await reserve(coupon, "o-2", now=over)).status is RESERVED
    with pytest.raises(CouponReserved):
        await rewards.confirm_coupon(using(coupon, key="late"), now=over)


async def test_a_coupon_expires_at_the_local_midnight_but_not_under_a_reservation() -> None:
    await open_counter()
    coupon = await coupon_of()
    before_midnight = coupon.expires_at - timedelta(minutes=1)
    await reserve(coupon, now=before_midnight)
    after = coupon.expires_at + timedelta(minutes=1)
    assert await statuses(now=after) == [RESERVED]
    over = before_midnight + HALF_HOUR
    assert await statuses(now=over) == [CouponStatus.EXPIRED]
    with pytest.raises(CouponExpired) as refused:
        await reserve(coupon, "o-2", now=over)
    assert refused.value.expired_at == coupon.expires_at
    assert (await rewards.confirm_coupon(using(coupon), now=after)).status is USED


async def test_an_order_has_one_coupon_but_for_those_that_stack() -> None:
    await open_counter()
    one, two = await coupon_of(), await coupon_of(TEN_OFF, "k-2")
    tenth, more = await coupon_of(TENTH_OFF, "k-3"), await coupon_of(DRAW, "k-4")
    await reserve(one)
    assert (await reserve(tenth, amount=9_000)).discount_fen == 900
    before = await everything_kept()
    for other in (two, more):
        with pytest.raises(CouponNotStackable):
            await reserve(other)
    assert await everything_kept() == before
    # Another order, or another shop's order of the same number, is another order.
    assert (await reserve(two, "o-2")).status is RESERVED
    assert (await reserve(more, owner="other-shop")).discount_fen == 0
    # What the order has used counts; what ran out does not.
    await rewards.confirm_coupon(using(one), now=NOW)
    with pytest.raises(CouponReserved):
        await reserve(two)
    await rewards.release_coupon(using(two, "o-2"), now=NOW)
    with pytest.raises(CouponNotStackable):
        await reserve(two, now=NOW + HALF_HOUR)


async def test_what_ran_out_makes_room_for_another_coupon() -> None:
    await open_counter()
    one, two = await coupon_of(), await coupon_of(TEN_OFF, "k-2")
    await reserve(one)
    over = NOW + HALF_HOUR
    assert (await reserve(two, now=over)).status is RESERVED
    assert sorted(await statuses(now=over)) == [ACTIVE, RESERVED]
    with pytest.raises(CouponNotStackable):
        await reserve(one, key="again", now=over)


async def test_a_code_may_be_typed_in_any_way() -> None:
    await open_counter()
    coupon = await coupon_of()
    typed = replace(coupon, code=coupon.code.lower().replace("-", " "))
    assert (await reserve(typed)).key == coupon.key
    # As a page or a chat hands it on, with blanks and breaks that nobody sees.
    copied = "\ufeff" + coupon.code.replace("-", "\u200b-\u00ad") + "\u3000\u200d"
    assert (await reserve(replace(coupon, code=copied), key="copied")).key == coupon.key
    # Of a code of another form nothing is left out.
    with pytest.raises(CouponUnknown):
        await reserve(replace(coupon, code=f"{coupon.code}\u200bX"), key="other")


async def test_an_order_has_one_coupon_whatever_its_number_hides() -> None:
    await open_counter()
    one, two = [await coupon_of(key=f"k-{n}") for n in range(2)]
    await reserve(one)
    before = await everything_kept()
    for hidden in ("o-1\u200b", "\u2060o-1", "o\u00ad-1", "o-1\ufe0f"):
        with pytest.raises(InvalidInput) as refusal:
            await reserve(two, hidden)
        assert refusal.value.field == ("order_reference",)
    with pytest.raises(CouponNotStackable):
        await reserve(two)
    assert await everything_kept() == before


async def test_an_order_that_hides_something_keeps_the_coupon_it_has_from_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await open_counter()
    one, two = [await coupon_of(key=f"k-{n}") for n in range(2)]
    order = "o-1\u200b"
    with monkeypatch.context() as as_it_was:
        as_it_was.setattr(checkout, "clean_identity", lambda *_, **__: None)
        await reserve(one, order)
        await reserve(two, "o-2\u200b")
    assert (await rewards.confirm_coupon(using(one, order), now=NOW)).status is USED
    assert (await rewards.release_coupon(using(two, "o-2\u200b"), now=NOW)).status is ACTIVE


async def test_a_key_is_answered_once_and_another_input_refused() -> None:
    await open_counter()
    coupon = await coupon_of()
    first = await reserve(coupon, key="r")
    await rewards.release_coupon(using(coupon, key="u"), now=NOW)
    before = await everything_kept()
    assert await reserve(coupon, key="r", now=NOW + HALF_HOUR) == first
    assert (await rewards.release_coupon(using(coupon, key="u"), now=NOW)).status is ACTIVE
    changes: list[dict[str, Any]] = [{"order": "o-2"}, {"amount": 9_999}]
    for other in changes:
        with pytest.raises(IdempotencyConflict):
            await reserve(coupon, key="r", **other)
    assert await everything_kept() == before


async def test_bad_input_changes_nothing() -> None:
    await open_counter()
    fresh, held, used = [await coupon_of(TEN_OFF, f"k-{n}") for n in range(3)]
    await reserve(held, "o-held")
    await reserve(used, "o-used")
    await rewards.confirm_coupon(using(used, "o-used"), now=NOW)
    gone = await redeemed(DRAW, "k-4")
    [revoked] = (await rewards.coupons_of(ALICE, [gone.id], now=NOW))[gone.id]
    await cancelled(gone)
    unknown = replace(fresh, code="0000-0000-0000-0000")
    reserving: list[tuple[Any, dict[str, Any], type[Refusal]]] = [
        (unknown, {}, CouponUnknown),
        (replace(fresh, code=""), {}, CouponUnknown),
        (replace(fresh, code="x" * 65), {}, CouponUnknown),
        (replace(fresh, code="a\x00"), {}, CouponUnknown),
        (held, {}, CouponReserved),
        (held, {"owner": "other-shop"}, CouponReserved),
        (used, {}, CouponUsed),
        (revoked, {}, CouponRevoked),
        (fresh, {"now": fresh.expires_at}, CouponExpired),
        (fresh, {"amount": 4_999}, CouponBelowMinimum),
        (fresh, {"amount": -1}, InvalidInput),
        (fresh, {"amount": 2**53}, InvalidInput),
        (fresh, {"order": ""}, InvalidInput),
        (fresh, {"order": "x" * 129}, InvalidInput),
        (fresh, {"key": "x" * 129}, InvalidInput),
    ]
    before = await everything_kept()
    for coupon, values, refusal in reserving:
        with pytest.raises(refusal):
            await reserve(coupon, **values)
    ending: list[tuple[Any, str, str, type[Refusal]]] = [
        (unknown, "o-1", "shop", CouponUnknown),
        (held, "o-held", "other-shop", CouponUnknown),
        (used, "o-used", "other-shop", CouponUnknown),
        (held, "o-1", "shop", CouponReserved),
        (used, "o-1", "shop", CouponUsed),
        (fresh, "o-1", "shop", CouponNotReserved),
        (revoked, "o-1", "shop", CouponRevoked),
    ]
    for coupon, order, owner, refusal in ending:
        for end in (rewards.confirm_coupon, rewards.release_coupon):
            with pytest.raises(refusal):
                await end(using(coupon, order, owner=owner), now=NOW)
    assert await everything_kept() == before
