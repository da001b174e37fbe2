"""Redeeming: points become a reward, its stock and its coupons in one transaction.

The order of locks, which every use case of this context keeps: the member's account, then the
redemption, then its coupons, then the reward. The reward's row, which many want at once, is locked
last and for the shortest time; it is also where the stock is guarded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import idempotency, tiers
from domain.errors import (
    InvalidInput,
    LevelNeeded,
    LevelTooLow,
    OutOfStock,
    RewardClosed,
    RewardLimitReached,
    RewardUnknown,
)
from domain.ledger import Books, Redeem, Source, lock_accounts, post_one
from domain.members import recall_own, remember_own
from domain.outbox import Event, announce
from domain.program import program
from domain.rewards.addresses import Place, address
from domain.rewards.coupons import issue
from domain.rewards.offers import Reward, rewards_by_ids, stock_left
from domain.rewards.redemptions import Redemption, redemption
from domain.rewards.rules import RedemptionStatus, RewardKind
from domain.rewards.tables import REDEMPTIONS
from domain.storage import TransactionContended, execute, fetch_one, transaction

QUANTITY_MAX: Final = 20
RECORDS_MAX: Final = 64
"""So many merges are followed."""

STOCK_MAX: Final = 2**31 - 1

SOURCE_KIND: Final = "reward"

_WHAT: Final = "reward.redeem"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemReward:
    """Spend points on a reward. A gift without an address waits for one."""

    member_id: UUID
    reward_id: UUID
    idempotency_key: str
    quantity: int = 1
    address_id: UUID | None = None


async def redeem_reward(command: RedeemReward, *, now: datetime) -> Redemption:
    """Exchange points for a reward; the redemption as it was first answered.

    Refused, in this order: InvalidInput, IdempotencyConflict, RewardUnknown, RewardClosed,
    LevelTooLow, RewardLimitReached, AddressUnknown, OutOfStock where nothing is left at all,
    PointsOutOfRange, InsufficientPoints, AccountFrozen, OutOfStock where others were faster.
    """
    idempotency.checked_key(command.idempotency_key)
    if not 1 <= command.quantity <= QUANTITY_MAX:
        raise InvalidInput(field=("quantity",), rule=f"1 to {QUANTITY_MAX}")
    digests = idempotency.digests(
        {
            "reward_id": str(command.reward_id),
            "quantity": command.quantity,
            "address_id": str(command.address_id) if command.address_id else None,
        }
    )

    async def work() -> Redemption:
        # A level whose time is over opens nothing. A merge that is waited for has reviewed it, too.
        await tiers.review_if_due(command.member_id, now=now)
        mine, books = await _lock_account(command.member_id)
        known = await recall_own(_WHAT, mine, key=command.idempotency_key, digests=digests)
        if known is not None:
            return await _told_again(mine, known.answer)
        meant = replace(command, member_id=mine)
        reward = await _offered(meant, now=now)
        place = await _place(meant, reward)
        posted = await post_one(
            Redeem(
                member_id=mine,
                points=reward.points_price * meant.quantity,
                source=Source(kind=SOURCE_KIND, reference=reward.code),
            ),
            now=now,
            books=books,
        )
        made = await _written(meant, reward, place, entry_seq=posted.seq, now=now)
        await remember_own(
            *(_WHAT, mine),
            key=command.idempotency_key,
            digests=digests,
            answer={"id": str(made.id), "status": made.status.value},
            now=now,
        )
        left = await _take(made, meant.quantity)
        return replace(made, from_stock=left is not None, reward=replace(reward, stock=left))

    return await transaction(work)


async def _lock_account(member_id: UUID) -> tuple[UUID, Books]:
    """The member's account, locked; and whose it is.

    Whoever waited for a merge that gives the record up means the member who has it now.
    """
    for _ in range(RECORDS_MAX):
        books = await lock_accounts([member_id])
        book = books.get(member_id)
        if book is None or book.merged_into is None:
            return member_id, books
        member_id = book.merged_into
    raise TransactionContended("the member's record was joined to others each time")


async def _told_again(member_id: UUID, answer: Any) -> Redemption:
    """The redemption as it was first answered, whatever became of it since."""
    found = await redemption(member_id, redemption_id=UUID(answer["id"]))
    assert found is not None, "what was answered was written"
    return replace(found, status=RedemptionStatus(answer["status"]))


async def _offered(command: RedeemReward, *, now: datetime) -> Reward:
    """The reward, which the member may have so many of as far as is known without its lock."""
    reward = (await rewards_by_ids([command.reward_id])).get(command.reward_id)
    if reward is None:
        raise RewardUnknown(field=("reward_id",))
    if not reward.is_open(now):
        raise RewardClosed(begins_at=reward.begins_at, ends_at=reward.ends_at)
    await _check_level(command.member_id, reward)
    await _check_limit(command, reward)
    if reward.stock is not None and reward.stock < command.quantity:
        raise OutOfStock(left=reward.stock, field=("quantity",))
    return reward


async def _check_level(member_id: UUID, reward: Reward) -> None:
    if reward.level_required is None:
        return
    levels = {level.code: level for level in await tiers.read_levels()}
    required = levels.get(reward.level_required)
    if required is None:
        return
    codes = await tiers.level_codes([member_id])
    if levels[codes[member_id]].rank < required.rank:
        needed = {name: getattr(required, name) for name in LevelNeeded.__slots__}
        raise LevelTooLow(required=LevelNeeded(**needed), field=("reward_id",))


async def _check_limit(command: RedeemReward, reward: Reward) -> None:
    """The account's lock guards the count: whoever has none yet has no points either."""
    if reward.per_member is None:
        return
    row = await fetch_one(
        "SELECT COALESCE(SUM(quantity), 0) AS taken FROM redemption"
        " WHERE member_id = $1 AND reward_id = $2 AND status <> 'CANCELLED'",
        *(command.member_id, reward.id),
    )
    taken = 0 if row is None else int(row["taken"])
    if taken + command.quantity > reward.per_member:
        raise RewardLimitReached(limit=reward.per_member, taken=taken, field=("quantity",))


async def _place(command: RedeemReward, reward: Reward) -> Place | None:
    if command.address_id is None:
        return None
    if reward.kind is not RewardKind.GIFT:
        raise InvalidInput(field=("address_id",), rule="for a gift alone")
    return (await address(command.member_id, address_id=command.address_id)).place


async def _written(
    command: RedeemReward, reward: Reward, place: Place | None, *, entry_seq: int, now: datetime
) -> Redemption:
    """Write the redemption with its coupons, and tell it."""
    redemption_id: UUID = uuid7()
    status = RedemptionStatus.FULFILLED
    if reward.kind is RewardKind.GIFT:
        status = RedemptionStatus.PLACED if place else RedemptionStatus.AWAITING_ADDRESS
    written = asdict(place) if place else {}
    row = {
        "member_id": command.member_id,
        "id": redemption_id,
        "reward_id": reward.id,
        "quantity": command.quantity,
        "status": status.value,
        "points_spent": reward.points_price * command.quantity,
        "paid_by": command.member_id,
        "entry_seq": entry_seq,
        "from_stock": reward.stock is not None,
        "redeemed_at": now,
    }
    row |= {name: written.get(name) for name in Place.__slots__}
    await REDEMPTIONS.insert([row])
    if reward.kind is not RewardKind.GIFT:
        await issue(
            command.member_id,
            reward,
            count=command.quantity,
            redemption_id=redemption_id,
            zone=(await program()).zone,
            now=now,
        )
    facts = {
        "redemption": str(redemption_id),
        "reward": reward.code,
        "title_zh": reward.title_zh,
        "title_en": reward.title_en,
        "quantity": command.quantity,
        "points": row["points_spent"],
        "status": status.value,
    }
    event = Event(kind="RewardRedeemed", member_id=command.member_id, facts=facts)
    await announce([event], now=now)
    made = await redemption(command.member_id, redemption_id=redemption_id)
    assert made is not None, "it was just written"
    return made


async def _take(made: Redemption, quantity: int) -> int | None:
    """Take from the stock, which is never below zero: the last lock of the transaction.

    Returns what is left, None where it is not limited. Refused: OutOfStock.
    """
    reward = made.reward
    if not made.from_stock:
        return None
    row = await fetch_one(
        "UPDATE reward SET stock = stock - $2 WHERE id = $1 AND stock >= $2 RETURNING stock",
        *(reward.id, quantity),
    )
    if row is None:
        left = (await stock_left([reward.id]))[reward.id]
        if left is not None:
            raise OutOfStock(left=left, field=("quantity",))
        # Staff have lifted the limit since it was looked at.
        await execute(
            "UPDATE redemption SET from_stock = FALSE WHERE member_id = $1 AND id = $2",
            *(made.member_id, made.id),
        )
    return None if row is None else int(row["stock"])


async def put_back(redemptions: Iterable[Redemption]) -> None:
    """Put what came from a stock back into it: the last locks of the transaction, in their order.

    A stock that is full stays so: staff have said since how many there are.
    """
    back: dict[UUID, int] = {}
    for one in redemptions:
        if one.from_stock:
            back[one.reward.id] = back.get(one.reward.id, 0) + one.quantity
    for reward_id, quantity in sorted(back.items()):
        await execute(
            "UPDATE reward SET stock = CASE WHEN stock <= $3 THEN stock + $2 ELSE $4 END"
            " WHERE id = $1 AND stock IS NOT NULL",
            *(reward_id, quantity, STOCK_MAX - quantity, STOCK_MAX),
        )
