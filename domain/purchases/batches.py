"""Batches that shops push: one receipt per order, the same answer for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import idempotency
from domain.errors import ErrorCode, InvalidInput, Refusal
from domain.program import program
from domain.purchases.earning import current_rule
from domain.purchases.orders import Order, order_digests
from domain.purchases.recorded import Recorded
from domain.purchases.recording import (
    ORDERS_MAX,
    conflict,
    judge,
    lock_owners,
    record_new,
    recorded_of,
    triage,
)
from domain.storage import transaction
from domain.texts import clean_identity

LINES_MAX = 200
"""Lines of one order that a shop may push."""
_BATCH_ID_LENGTH_MAX = 128


class ReceiptStatus(StrEnum):
    """What became of one order of a batch."""

    APPLIED = "APPLIED"
    """Recorded now."""
    DUPLICATE = "DUPLICATE"
    """Recorded before, with the same content; the receipt names that purchase."""
    REJECTED = "REJECTED"
    """Refused; `code` says why. Nothing was changed, and it may be sent again in a new batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPurchases:
    """Record the orders of one batch. `source` is the code of the client that pushes them."""

    source: str
    batch_id: str
    orders: Sequence[Order]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The outcome of the order at `index`; points are those that the order earned at first."""

    index: int
    external_id: str
    status: ReceiptStatus
    code: ErrorCode | None = None
    purchase_id: UUID | None = None
    member_id: UUID | None = None
    points_earned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseBatch:
    """The answer to a batch. `replayed`: it is the answer given before, nothing was done now."""

    id: str
    replayed: bool
    receipts: Sequence[Receipt]


async def record_purchases(
    command: RecordPurchases, *, rule_code: str = "standard", now: datetime
) -> PurchaseBatch:
    """Record a batch of 1 to 500 orders, not all or nothing: one receipt per order, in order.

    A batch id that was used before gives its stored answer again; with other content it is refused
    whole (IdempotencyConflict). An order id of this source that is recorded already gives DUPLICATE
    with the same content and REJECTED with other content. Refused with InvalidInput where the batch
    itself breaks a rule. A fixed number of statements whatever the number of orders.
    """
    clean_identity(command.batch_id, field=("batch_id",), characters_max=_BATCH_ID_LENGTH_MAX)
    if not 1 <= len(command.orders) <= ORDERS_MAX:
        raise InvalidInput(field=("orders",), rule=f"1 to {ORDERS_MAX} orders")

    return await transaction(lambda: _record_once(command, rule_code=rule_code, now=now))


async def _record_once(command: RecordPurchases, *, rule_code: str, now: datetime) -> PurchaseBatch:
    programme = await program()
    contents = [order_digests(order, currency=programme.currency) for order in command.orders]
    scope = f"purchases.batch:{command.source}"
    digests = idempotency.digests({"orders": [[*content.values()] for content in contents]})
    sound, refused = judge(
        command.orders, contents, programme=programme, lines_max=LINES_MAX, now=now
    )
    owners = await lock_owners(sound)
    answer = await idempotency.recall_answer(scope, command.batch_id, digests, field=("batch_id",))
    if answer is not None:
        return _replay(command, answer)

    sorted_out = await triage(sound, source=command.source)
    outcomes: dict[int, Recorded | Refusal] = dict(refused)
    duplicates = {candidate.index for candidate, _ in sorted_out.known}
    outcomes |= {
        candidate.index: conflict(candidate, recalled.differing)
        if recalled.differing
        else recorded_of(recalled)
        for candidate, recalled in sorted_out.known
    }
    first, repeats = idempotency.first_of_each(
        sorted_out.unknown, key=lambda one: one.order.external_id
    )
    outcomes |= await record_new(
        first,
        owners=owners,
        source=command.source,
        rule=await current_rule(rule_code),
        programme=programme,
        now=now,
    )
    for repeat, original in repeats:
        duplicates.add(repeat.index)
        differing = idempotency.differing(original.digests, repeat.digests)
        outcomes[repeat.index] = (
            conflict(repeat, differing) if differing else outcomes[original.index]
        )
    receipts = [
        _receipt(index, order, outcomes[index], is_duplicate=index in duplicates)
        for index, order in enumerate(command.orders)
    ]
    stored = [_receipt_to_json(receipt) for receipt in receipts]
    await idempotency.remember(scope, {command.batch_id: (digests, stored)}, now=now)
    return PurchaseBatch(id=command.batch_id, replayed=False, receipts=receipts)


def _replay(command: RecordPurchases, answer: Sequence[Any]) -> PurchaseBatch:
    receipts = [
        _receipt_from_json(stored, index=index, order=order)
        for index, (stored, order) in enumerate(zip(answer, command.orders, strict=True))
    ]
    return PurchaseBatch(id=command.batch_id, replayed=True, receipts=receipts)


def _receipt(
    index: int, order: Order, outcome: Recorded | Refusal, *, is_duplicate: bool
) -> Receipt:
    if isinstance(outcome, Refusal):
        return Receipt(
            index=index,
            external_id=order.external_id,
            status=ReceiptStatus.REJECTED,
            code=outcome.code,
        )
    return Receipt(
        index=index,
        external_id=order.external_id,
        status=ReceiptStatus.DUPLICATE if is_duplicate else ReceiptStatus.APPLIED,
        purchase_id=outcome.purchase_id,
        member_id=outcome.member_id,
        points_earned=outcome.points,
    )


def _receipt_to_json(receipt: Receipt) -> list[Any]:
    """What a replay cannot tell from the batch itself: a refused id may be no text to store."""
    return [
        receipt.status.value,
        receipt.code and receipt.code.value,
        receipt.purchase_id and str(receipt.purchase_id),
        receipt.member_id and str(receipt.member_id),
        receipt.points_earned,
    ]


def _receipt_from_json(stored: Sequence[Any], *, index: int, order: Order) -> Receipt:
    status, code, purchase_id, member_id, points = stored
    return Receipt(
        index=index,
        external_id=order.external_id,
        status=ReceiptStatus(status),
        code=code and ErrorCode(code),
        purchase_id=purchase_id and UUID(purchase_id),
        member_id=member_id and UUID(member_id),
        points_earned=points,
    )
