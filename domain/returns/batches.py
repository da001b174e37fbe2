"""Batches of refunds that shops push: one receipt per refund, the same answer for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain import idempotency, rewards
from domain.errors import ErrorCode, IdempotencyConflict, InvalidInput, Refusal
from domain.idempotency import Recalled
from domain.program import program
from domain.purchases import ReceiptStatus
from domain.returns.recording import (
    NewRefund,
    Recorded,
    lock_orders,
    record_new,
    recorded_of,
    refund_scope,
)
from domain.returns.refunds import REFUNDS_MAX, Refund, refund_digests, refusal_of
from domain.rewards import RewardRules
from domain.storage import transaction
from domain.texts import clean_identity

_BATCH_ID_LENGTH_MAX: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefunds:
    """Record the refunds of one batch. `source` is the code of the client that pushes them."""

    source: str
    batch_id: str
    refunds: Sequence[Refund]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReceipt:
    """The outcome of the refund at `index`: what it came to when it was recorded."""

    index: int
    external_id: str
    status: ReceiptStatus
    code: ErrorCode | None = None
    points_taken: int = 0
    debt_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundBatch:
    """The answer to a batch. `replayed`: it is the answer given before, nothing was done now."""

    id: str
    replayed: bool
    receipts: Sequence[RefundReceipt]


async def record_refunds(
    command: RecordRefunds, *, rules_in_force: RewardRules, now: datetime
) -> RefundBatch:
    """Record a batch of 1 to 500 refunds, not all or nothing: one receipt per refund, in order.

    A batch id that was used before gives its stored answer again; with other content it is refused
    whole (IdempotencyConflict). A refund id of this source that is recorded already gives DUPLICATE
    with the same content and REJECTED with other content. Refused with InvalidInput where the batch
    itself breaks a rule.
    """
    clean_identity(command.batch_id, field=("batch_id",), characters_max=_BATCH_ID_LENGTH_MAX)
    if not 1 <= len(command.refunds) <= REFUNDS_MAX:
        raise InvalidInput(field=("refunds",), rule=f"1 to {REFUNDS_MAX} refunds")
    return await transaction(lambda: _record_once(command, rules_in_force=rules_in_force, now=now))


async def _record_once(
    command: RecordRefunds, *, rules_in_force: RewardRules, now: datetime
) -> RefundBatch:
    contents = [refund_digests(refund) for refund in command.refunds]
    scope = f"returns.batch:{command.source}"
    digests = idempotency.digests({"refunds": [[*content.values()] for content in contents]})
    outcomes: dict[int, Recorded | Refusal] = {}
    sound: list[NewRefund] = []
    for index, refund in enumerate(command.refunds):
        refusal = refusal_of(refund, now=now)
        if refusal is not None:
            outcomes[index] = refusal
        else:
            sound.append(NewRefund(index=index, refund=refund, digests=contents[index]))
    locked = await lock_orders(command.source, [one.refund for one in sound])
    answer = await idempotency.recall_answer(scope, command.batch_id, digests, field=("batch_id",))
    if answer is not None:
        return _replay(command, answer)

    first, repeats = idempotency.first_of_each(sound, key=lambda one: one.refund.external_id)
    known = await idempotency.recall(
        refund_scope(command.source), {one.refund.external_id: one.digests for one in first}
    )
    recorded, ended = await record_new(
        [one for one in first if one.refund.external_id not in known],
        locked=locked,
        source=command.source,
        rules_in_force=rules_in_force,
        programme=await program(),
        now=now,
    )
    outcomes |= recorded
    duplicates: set[int] = set()
    for one in first:
        earlier = known.get(one.refund.external_id)
        if earlier is not None:
            duplicates.add(one.index)
            outcomes[one.index] = _known(one, earlier)
    for repeat, original in repeats:
        duplicates.add(repeat.index)
        earlier = known.get(repeat.refund.external_id)
        if earlier is not None:
            outcomes[repeat.index] = _known(repeat, earlier.compared_with(repeat.digests))
        else:
            differing = idempotency.differing(original.digests, repeat.digests)
            outcomes[repeat.index] = (
                _conflict(repeat, differing) if differing else outcomes[original.index]
            )
    receipts = [
        _receipt(index, refund, outcomes[index], is_duplicate=index in duplicates)
        for index, refund in enumerate(command.refunds)
    ]
    stored = [_receipt_to_json(receipt) for receipt in receipts]
    await idempotency.remember(scope, {command.batch_id: (digests, stored)}, now=now)
    await rewards.put_back(ended)
    return RefundBatch(id=command.batch_id, replayed=False, receipts=receipts)


def _known(one: NewRefund, earlier: Recalled) -> Recorded | Refusal:
    return _conflict(one, earlier.differing) if earlier.differing else recorded_of(earlier)


def _conflict(one: NewRefund, differing: Sequence[str]) -> IdempotencyConflict:
    return IdempotencyConflict(
        field=("external_id",), key=one.refund.external_id, differing=tuple(differing)
    )


def _replay(command: RecordRefunds, answer: Sequence[Any]) -> RefundBatch:
    receipts = [
        _receipt_from_json(stored, index=index, refund=refund)
        for index, (stored, refund) in enumerate(zip(answer, command.refunds, strict=True))
    ]
    return RefundBatch(id=command.batch_id, replayed=True, receipts=receipts)


def _receipt(
    index: int, refund: Refund, outcome: Recorded | Refusal, *, is_duplicate: bool
) -> RefundReceipt:
    if isinstance(outcome, Refusal):
        return RefundReceipt(
            index=index,
            external_id=refund.external_id,
            status=ReceiptStatus.REJECTED,
            code=outcome.code,
        )
    return RefundReceipt(
        index=index,
        external_id=refund.external_id,
        status=ReceiptStatus.DUPLICATE if is_duplicate else ReceiptStatus.APPLIED,
        points_taken=outcome.points_taken,
        debt_after=outcome.debt_after,
    )


def _receipt_to_json(receipt: RefundReceipt) -> list[Any]:
    """What a replay cannot tell from the batch itself: a refused id may be no text to store."""
    return [
        receipt.status.value,
        receipt.code and receipt.code.value,
        receipt.points_taken,
        receipt.debt_after,
    ]


def _receipt_from_json(stored: Sequence[Any], *, index: int, refund: Refund) -> RefundReceipt:
    status, code, points_taken, debt_after = stored
    return RefundReceipt(
        index=index,
        external_id=refund.external_id,
        status=ReceiptStatus(status),
        code=code and ErrorCode(code),
        points_taken=points_taken,
        debt_after=debt_after,
    )
