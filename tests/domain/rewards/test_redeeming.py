"""Points become a reward, or nothing happens at all; on both databases."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import rewards, tiers
from domain.errors import (
    AddressUnknown,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    LevelTooLow,
    OutOfStock,
    PointsOutOfRange,
    Refusal,
    RewardClosed,
    RewardLimitReached,
    RewardUnknown,
)
from domain.ledger import entry
from domain.outbox import stream
from domain.paging import PageRequest
from domain.rewards import CouponStatus, RedemptionStatus, RewardKind, offers
from domain.rewards import redeeming as redeeming_module
from domain.storage import observed_statements
from domain.tiers import OpeningLevel, grant_opening_levels
from tests.domain.ledger.commands import ALICE, BOB, NOW, SHANGHAI, days
from tests.domain.rewards.counter import (
    DRAW,
    HOME,
    MUG,
    SEAT,
    TEN_OFF,
    cancelled,
    give,
    kept,
    open_counter,
    points,
    redeemed,
    redeeming,
    stock,
    wallet,
)
from tests.domain.tiers.evaluated import joined, local
from tests.graphql.kept import changed, everything_kept

LOCKING = re.compile(r"FROM (\w+)[^;]* FOR NO KEY UPDATE", re.DOTALL)

pytestmark = pytest.mark.usefixtures("database")

ONE_EACH = replace(MUG, id=UUID(int=21), code="one-each", points_price=10, per_member=2)
OPEN = replace(MUG, id=UUID(int=22), code="open", begins_at=NOW - days(1), ends_at=NOW + days(1))


async def test_a_coupon_is_good_at_once_through_its_last_local_day() -> None:
    """Thirty days after 1 March 2026 in Shanghai: through 31 March, until its midnight."""
    await open_counter()
    found = await redeemed(TEN_OFF, quantity=2)
    assert (found.status, found.points_spent, found.quantity) == (
        RedemptionStatus.FULFILLED,
        600,
        2,
    )
    assert found.shipment is None
    one, two = await wallet()
    assert one.code != two.code
    assert {(c.status, c.expires_at, c.redemption_id, c.terms_en) for c in (one, two)} == {
        (
            CouponStatus.ACTIVE,
            datetime(2026, 3, 31, 16, tzinfo=UTC),
            found.id,
            "From 50 yuan",
        )
    }
    paid = await entry(ALICE, seq=found.entry_seq)
    assert paid is not None
    assert (paid.kind.value, paid.amount, paid.balance_after) == ("REDEEM", -600, 400)
    assert (paid.source.kind, paid.source.reference) == ("reward", "ten-off")
    assert await points() == 400


async def test_a_gift_goes_to_its_address_or_waits_for_one() -> None:
    await open_counter()
    waiting = await redeemed(MUG)
    assert waiting.status is RedemptionStatus.AWAITING_ADDRESS
    assert waiting.shipment is not None
    assert (waiting.shipment.status.value, waiting.shipment.place) == ("AWAITING_ADDRESS", None)
    home = await kept()
    placed = await redeemed(MUG, "k-2", address_id=home.id)
    assert placed.shipment is not None
    assert (placed.status.value, placed.shipment.status.value) == ("PLACED", "PREPARING")
    assert placed.shipment.place == HOME
    # The address is copied: to forget it changes nothing of what is on its way.
    await rewards.remove_address(ALICE, address_id=home.id, now=NOW)
    page = await rewards.redemptions(ALICE, PageRequest(first=5))
    assert {one.id: one for one in page.items} == {waiting.id: waiting, placed.id: placed}
    assert (await stock(MUG), await points(), await wallet()) == (8, 0, [])


async def test_perks_and_prizes_give_a_voucher_without_a_discount() -> None:
    await open_counter()
    found = await redeemed(DRAW)
    [voucher] = await wallet()
    assert (found.reward.kind, voucher.value.off, voucher.redemption_id) == (
        RewardKind.PARTNER_PRIZE,
        None,
        found.id,
    )


async def test_a_level_and_those_above_may_redeem() -> None:
    await open_counter()
    with pytest.raises(LevelTooLow) as refused:
        await redeemed(SEAT)
    assert (refused.value.required.code, refused.value.required.name_en) == ("silver", "Silver")
    opening = OpeningLevel(member_id=ALICE, code="silver", keep_until=NOW + days(30), since=NOW)
    await grant_opening_levels([opening], zone=SHANGHAI, now=NOW)
    assert (await redeemed(SEAT)).status is RedemptionStatus.FULFILLED


async def test_a_level_whose_time_is_over_opens_nothing() -> None:
    """Whether the job that reviews it has come by or not."""
    await open_counter()
    [member_id] = await joined("m-1")
    await give(1_000, member_id=member_id)
    ends_at = local("2026-03-31")
    opening = OpeningLevel(member_id=member_id, code="silver", keep_until=ends_at, since=NOW)
    await grant_opening_levels([opening], zone=SHANGHAI, now=NOW)
    await redeemed(SEAT, member_id=member_id, now=ends_at - timedelta(microseconds=1))
    before = await everything_kept()
    with pytest.raises(LevelTooLow) as refused:
        await redeemed(SEAT, "k-2", member_id=member_id, now=ends_at)
    assert refused.value.required.code == "silver"
    assert await everything_kept() == before
    with observed_statements() as statements:
        await redeemed(TEN_OFF, "k-3", member_id=member_id, now=ends_at)
    assert await tiers.level_codes([member_id]) == {member_id: "bronze"}
    # As everywhere, members are locked before accounts.
    locks = [found[1] for one in statements if (found := LOCKING.search(one))]
    assert locks[:2] == ["member", "points_account"]


async def test_a_limit_counts_what_was_not_cancelled() -> None:
    await open_counter(ONE_EACH)
    first = await redeemed(ONE_EACH)
    await redeemed(ONE_EACH, "k-2")
    with pytest.raises(RewardLimitReached) as refused:
        await redeemed(ONE_EACH, "k-3")
    assert (refused.value.limit, refused.value.taken) == (2, 2)
    await cancelled(first)
    assert (await redeemed(ONE_EACH, "k-4")).status is RedemptionStatus.AWAITING_ADDRESS


async def test_a_window_begins_and_ends_at_its_moments() -> None:
    await open_counter(OPEN)
    assert OPEN.begins_at is not None
    assert OPEN.ends_at is not None
    for moment in (OPEN.begins_at - days(1e-6), OPEN.ends_at):
        with pytest.raises(RewardClosed) as refused:
            await redeemed(OPEN, now=moment)
        assert (refused.value.begins_at, refused.value.ends_at) == (OPEN.begins_at, OPEN.ends_at)
    assert (await redeemed(OPEN, now=NOW)).reward.code == "open"


async def test_the_same_key_gives_the_first_answer_whatever_became_of_it() -> None:
    await open_counter()
    found = await redeemed(MUG)
    before = await everything_kept()
    assert await redeemed(MUG, now=NOW + days(1)) == found
    assert await everything_kept() == before
    await rewards.set_redemption_address(
        ALICE, redemption_id=found.id, address_id=(await kept()).id, now=NOW
    )
    assert (await redeemed(MUG)).status is RedemptionStatus.AWAITING_ADDRESS
    for other in (
        redeeming(TEN_OFF),
        redeeming(MUG, quantity=2),
        redeeming(MUG, address_id=UUID(int=5)),
    ):
        with pytest.raises(IdempotencyConflict):
            await rewards.redeem_reward(other, now=NOW)


async def test_what_happened_is_told_with_what_a_timeline_needs() -> None:
    await open_counter()
    found = await redeemed(MUG)
    told = [one for one in await stream(ALICE, after=0, limit=10) if one.kind == "RewardRedeemed"]
    assert [one.facts for one in told] == [
        {
            "redemption": str(found.id),
            "reward": "mug",
            "title_zh": "杯子",
            "title_en": "Mug",
            "quantity": 1,
            "points": 500,
            "status": "AWAITING_ADDRESS",
        }
    ]


DEAR = replace(MUG, id=UUID(int=31), code="dear", points_price=2**53 - 1)
SOLD_OUT = replace(MUG, id=UUID(int=32), code="sold-out", stock=0)
OVER = replace(MUG, id=UUID(int=33), code="over", ends_at=NOW)
NOBODYS = replace(MUG, id=UUID(int=34))
BAD: list[tuple[Any, dict[str, Any], type[Refusal]]] = [
    (NOBODYS, {}, RewardUnknown),
    (OVER, {}, RewardClosed),
    (SEAT, {}, LevelTooLow),
    (SOLD_OUT, {}, OutOfStock),
    (MUG, {"quantity": 11}, OutOfStock),
    (MUG, {"quantity": 3}, InsufficientPoints),
    (DEAR, {"quantity": 2}, PointsOutOfRange),
    (DEAR, {}, InsufficientPoints),
    (MUG, {"quantity": 0}, InvalidInput),
    (MUG, {"quantity": 21}, InvalidInput),
    (MUG, {"address_id": UUID(int=9)}, AddressUnknown),
    (TEN_OFF, {"address_id": UUID(int=9)}, InvalidInput),
    (MUG, {"member_id": BOB}, InsufficientPoints),
    (MUG, {"key": ""}, InvalidInput),
    (MUG, {"key": "x" * 129}, InvalidInput),
]


@pytest.mark.parametrize(("reward", "values", "refusal"), BAD, ids=str)
async def test_a_refusal_changes_nothing(
    reward: Any, values: dict[str, Any], refusal: type[Refusal]
) -> None:
    await open_counter(DEAR, SOLD_OUT, OVER)
    before = await everything_kept()
    with pytest.raises(refusal):
        await redeemed(reward, **values)
    assert changed(before, await everything_kept()) == set()


async def test_anothers_address_is_like_none() -> None:
    await open_counter()
    bobs = await kept(member_id=BOB)
    with pytest.raises(AddressUnknown):
        await redeemed(MUG, address_id=bobs.id)


async def test_whoever_is_faster_takes_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's redemption commits after the stock was looked at, before it is taken."""
    await open_counter(replace(MUG, id=UUID(int=41), code="last", stock=1))
    last = replace(MUG, id=UUID(int=41))
    look = offers.rewards_by_ids

    async def looks_late(ids: Any) -> Any:
        found = await look(ids)
        return {key: replace(one, stock=5) for key, one in found.items()}

    await give(500, member_id=BOB)
    await redeemed(last, member_id=BOB)
    with monkeypatch.context() as patch:
        patch.setattr(redeeming_module, "rewards_by_ids", looks_late)
        before = await everything_kept()
        with pytest.raises(OutOfStock):
            await redeemed(last)
        assert await everything_kept() == before
    assert (await stock(last), await points()) == (0, 1_000)
