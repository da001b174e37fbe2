"""Coupons at the till: a shop reserves one for an order, then confirms or releases it.

The coupon's row is the lock, and those that the order has already are locked with it, in the order
of their keys: so of two coupons that do not go together an order gets one, whoever asks first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from domain import idempotency
from domain.errors import CouponNotStackable, CouponUnknown, InvalidInput
from domain.ledger import POINTS_MAX
from domain.outbox import Event, announce
from domain.rewards import rules
from domain.rewards.codes import as_printed
from domain.rewards.offers import value_of
from domain.rewards.rules import CouponState, CouponStatus, Order
from domain.storage import Row, execute, fetch_all, transaction
from domain.texts import clean_identity, clean_text, is_storable

CODE_CHARACTERS_MAX: Final = 64
REFERENCE_CHARACTERS_MAX: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRules:
    """For how long a shop has a coupon that it reserves, and how long points that come back of a
    lot which expired meanwhile are good: through so many days after the day of the cancellation."""

    reservation_minutes: int = 30
    grace_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCoupon:
    """What a shop wants with the coupon of this code for one of its orders."""

    owner: str
    code: str
    order_reference: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveCoupon(UseCoupon):
    """Set it aside; `amount_fen` is what it is to be taken off from."""

    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponInUse:
    """A coupon as a shop is told of it, as of the answer."""

    member_id: UUID
    id: UUID
    status: CouponStatus
    discount_fen: int | None
    reserved_until: datetime | None

    @property
    def key(self) -> str:
        """What names the coupon in the whole programme."""
        return f"{self.member_id}:{self.id}"


async def reserve_coupon(
    command: ReserveCoupon, *, rules_in_force: RewardRules, now: datetime
) -> CouponInUse:
    """Set a coupon aside for an order; what it takes off is decided now.

    The order that has it is answered as before, and reserves it anew for another amount: for as
    long again, but for no longer than before once the coupon's own time is over. Refused:
    InvalidInput, CouponUnknown, CouponUsed, CouponRevoked, CouponExpired, CouponReserved,
    CouponBelowMinimum, CouponNotStackable, IdempotencyConflict.
    """
    if not 0 <= command.amount_fen <= POINTS_MAX:
        raise InvalidInput(field=("amount",), rule=f"0 to {POINTS_MAX} fen")
    # Here alone: an order that has a coupon from before `clean_identity` may still confirm it.
    clean_identity(
        command.order_reference,
        field=("order_reference",),
        characters_max=REFERENCE_CHARACTERS_MAX,
    )
    lasting = timedelta(minutes=rules_in_force.reservation_minutes)

    def decide(coupon: CouponState, order: Order) -> CouponState:
        return rules.reserve(coupon, order, amount_fen=command.amount_fen, lasting=lasting, now=now)

    return await _use(command, "reserve", decide, digested={"amount": command.amount_fen}, now=now)


async def confirm_coupon(command: UseCoupon, *, now: datetime) -> CouponInUse:
    """Use a coupon up for the order that has reserved it; again it changes nothing.

    Refused: InvalidInput, CouponUnknown, CouponReserved, CouponNotReserved, CouponUsed,
    CouponRevoked, CouponExpired, IdempotencyConflict.
    """

    def decide(coupon: CouponState, order: Order) -> CouponState:
        return rules.confirm(coupon, order, now=now)

    return await _use(command, "confirm", decide, now=now)


async def release_coupon(command: UseCoupon, *, now: datetime) -> CouponInUse:
    """Let a coupon go that an order has reserved; again it changes nothing.

    Refused: InvalidInput, CouponUnknown, CouponReserved, CouponUsed, CouponRevoked,
    IdempotencyConflict.
    """

    def decide(coupon: CouponState, order: Order) -> CouponState:
        return rules.release(coupon, order, now=now)

    return await _use(command, "release", decide, now=now)


Decide: TypeAlias = Callable[[CouponState, Order], CouponState]

_LOCK: Final = """
    SELECT member_id, id, code, title_zh, title_en, status, expires_at, stacks, coupon_off,
           coupon_value, amount_min_fen, discount_max_fen, owner, order_reference, amount_fen,
           discount_fen, reserved_until
    FROM coupon
    WHERE code = $1
       OR owner = $2 AND order_reference = $3 AND status IN ('RESERVED', 'USED')
    ORDER BY member_id, id
    FOR NO KEY UPDATE
"""


async def _use(
    command: UseCoupon,
    verb: str,
    decide: Decide,
    *,
    digested: dict[str, Any] | None = None,
    now: datetime,
) -> CouponInUse:
    idempotency.checked_key(command.idempotency_key)
    reference = clean_text(
        command.order_reference,
        field=("order_reference",),
        characters_min=1,
        characters_max=REFERENCE_CHARACTERS_MAX,
    )
    if not is_storable(command.code, characters_max=CODE_CHARACTERS_MAX):
        raise CouponUnknown(field=("code",))
    code, order = as_printed(command.code), Order(owner=command.owner, reference=reference)
    scope = f"coupon.{verb}:{command.owner}"
    given = {"code": command.code, "order_reference": reference, **(digested or {})}
    digests = idempotency.digests(given)

    async def work() -> CouponInUse:
        rows = await fetch_all(_LOCK, code, order.owner, order.reference)
        answer = await idempotency.recall_answer(scope, command.idempotency_key, digests)
        if answer is not None:
            return _of_answer(answer)
        row = next((one for one in rows if one["code"] == code), None)
        if row is None:
            raise CouponUnknown(field=("code",))
        before = state_of(row)
        after = decide(before, order)
        if after.status is CouponStatus.RESERVED:
            await _make_room(row, [one for one in rows if one is not row], now=now)
        made = await _written(row, before, after, now=now)
        known = {command.idempotency_key: (digests, _answer_of(made))}
        await idempotency.remember(scope, known, now=now)
        return made

    return await transaction(work)


async def _make_room(row: Row, others: list[Row], *, now: datetime) -> None:
    """Refuse CouponNotStackable, or let go of what the order no longer has."""
    lapsed = [one for one in others if rules.as_of(state_of(one), now=now).order is None]
    in_force = [one["stacks"] for one in others if one not in lapsed]
    if not rules.goes_together(row["stacks"], in_force):
        raise CouponNotStackable(field=("code",))
    for one in lapsed:
        await _write(one, rules.as_of(state_of(one), now=now), now=now)


async def _written(
    row: Row, before: CouponState, after: CouponState, *, now: datetime
) -> CouponInUse:
    """Write what changed, and tell it."""
    if after != before:
        await _write(row, after, now=now)
    as_it_was = rules.as_of(before, now=now)
    if (after.status, after.order) != (as_it_was.status, as_it_was.order):
        await announce([_event(row, after)], now=now)
    return CouponInUse(
        member_id=row["member_id"],
        id=row["id"],
        status=after.status,
        discount_fen=after.discount_fen,
        reserved_until=after.reserved_until,
    )


def _event(row: Row, after: CouponState) -> Event:
    """What is told of a coupon: never the order, whose number is the shop's own."""
    member_id: UUID = row["member_id"]
    facts = {
        "coupon": str(row["id"]),
        "title_zh": row["title_zh"],
        "title_en": row["title_en"],
        "discount_fen": after.discount_fen,
    }
    match after.status:
        case CouponStatus.RESERVED:
            return Event(kind="CouponReserved", member_id=member_id, facts=facts)
        case CouponStatus.USED:
            return Event(kind="CouponUsed", member_id=member_id, facts=facts)
    return Event(kind="CouponReleased", member_id=member_id, facts=facts)


async def _write(row: Row, after: CouponState, *, now: datetime) -> None:
    await execute(
        "UPDATE coupon SET status = $3, owner = $4, order_reference = $5, amount_fen = $6,"
        " discount_fen = $7, reserved_until = $8, used_at = $9 WHERE member_id = $1 AND id = $2",
        *(row["member_id"], row["id"], after.status.value),
        *((after.order.owner, after.order.reference) if after.order else (None, None)),
        *(after.amount_fen, after.discount_fen, after.reserved_until),
        now if after.status is CouponStatus.USED else None,
    )


def state_of(row: Row) -> CouponState:
    """A coupon from its row, as far as its use is decided by it."""
    order = None
    if row["owner"] is not None:
        order = Order(owner=row["owner"], reference=row["order_reference"])
    return CouponState(
        status=CouponStatus(row["status"]),
        expires_at=row["expires_at"],
        value=value_of(row),
        order=order,
        amount_fen=row["amount_fen"],
        discount_fen=row["discount_fen"],
        reserved_until=row["reserved_until"],
    )


def _answer_of(made: CouponInUse) -> dict[str, Any]:
    return {
        "member_id": str(made.member_id),
        "id": str(made.id),
        "status": made.status.value,
        "discount_fen": made.discount_fen,
        "reserved_until": made.reserved_until.isoformat() if made.reserved_until else None,
    }


def _of_answer(answer: dict[str, Any]) -> CouponInUse:
    until = answer["reserved_until"]
    return CouponInUse(
        member_id=UUID(answer["member_id"]),
        id=UUID(answer["id"]),
        status=CouponStatus(answer["status"]),
        discount_fen=answer["discount_fen"],
        reserved_until=None if until is None else datetime.fromisoformat(until),
    )
