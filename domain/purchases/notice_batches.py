"""Batches of order notices that shops push: one receipt per notice, the same answer for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain import idempotency
from domain.errors import ErrorCode, IdempotencyConflict, InvalidInput, Refusal
from domain.idempotency import Recalled
from domain.purchases.batches import ReceiptStatus
from domain.purchases.notices import (
    NewNotice,
    NoticeRecorded,
    OrderNotice,
    lock_noticed,
    notice_digests,
    notice_recorded_of,
    notice_scope,
    record_new_notices,
    refusal_of_notice,
)
from domain.storage import transaction
from domain.texts import clean_identity

NOTICES_MAX: Final = 500
"""Notices that one call may carry."""
_BATCH_ID_LENGTH_MAX: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrderNotices:
    """Record the notices of one batch. `source` is the code of the client that pushes them."""

    source: str
    batch_id: str
    notices: Sequence[OrderNotice]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReceipt:
    """The outcome of the notice at `index`."""

    index: int
    external_id: str
    status: ReceiptStatus
    code: ErrorCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeBatch:
    """The answer to a batch. `replayed`: it is the answer given before, nothing was done now."""

    id: str
    replayed: bool
    receipts: Sequence[NoticeReceipt]


async def record_order_notices(command: RecordOrderNotices, *, now: datetime) -> NoticeBatch:
    """Record a batch of 1 to 500 notices, not all or nothing: one receipt per notice, in order.

    A batch id that was used before gives its stored answer again; with other content it is refused
    whole (IdempotencyConflict). A notice id of this source that is recorded already gives DUPLICATE
    with the same content and REJECTED with other content. Refused with InvalidInput where the batch
    itself breaks a rule. A fixed number of statements whatever the number of notices.
    """
    clean_identity(command.batch_id, field=("batch_id",), characters_max=_BATCH_ID_LENGTH_MAX)
    if not 1 <= len(command.notices) <= NOTICES_MAX:
        raise InvalidInput(field=("notices",), rule=f"1 to {NOTICES_MAX} notices")
    return await transaction(lambda: _record_once(command, now=now))


async def _record_once(command: RecordOrderNotices, *, now: datetime) -> NoticeBatch:
    contents = [notice_digests(notice) for notice in command.notices]
    scope = f"purchases.notice_batch:{command.source}"
    digests = idempotency.digests({"notices": [[*content.values()] for content in contents]})
    outcomes: dict[int, NoticeRecorded | Refusal] = {}
    sound: list[NewNotice] = []
    for index, notice in enumerate(command.notices):
        refusal = refusal_of_notice(notice, now=now)
        if refusal is not None:
            outcomes[index] = refusal
        else:
            sound.append(NewNotice(index, notice, contents[index]))
    places = await lock_noticed(command.source, [one.notice for one in sound])
    answer = await idempotency.recall_answer(scope, command.batch_id, digests, field=("batch_id",))
    if answer is not None:
        return _replay(command, answer)

    first, repeats = idempotency.first_of_each(sound, key=lambda one: one.notice.external_id)
    known = await idempotency.recall(
        notice_scope(command.source), {one.notice.external_id: one.digests for one in first}
    )
    outcomes |= await record_new_notices(
        [one for one in first if one.notice.external_id not in known],
        places=places,
        source=command.source,
        now=now,
    )
    duplicates: set[int] = set()
    for one in first:
        earlier = known.get(one.notice.external_id)
        if earlier is not None:
            duplicates.add(one.index)
            outcomes[one.index] = _known(one, earlier)
    for repeat, original in repeats:
        duplicates.add(repeat.index)
        earlier = known.get(repeat.notice.external_id)
        if earlier is not None:
            outcomes[repeat.index] = _known(repeat, earlier.compared_with(repeat.digests))
        else:
            differing = idempotency.differing(original.digests, repeat.digests)
            outcomes[repeat.index] = (
                _conflict(repeat, differing) if differing else outcomes[original.index]
            )
    receipts = [
        _receipt(index, notice, outcomes[index], is_duplicate=index in duplicates)
        for index, notice in enumerate(command.notices)
    ]
    stored = [[one.status.value, one.code and one.code.value] for one in receipts]
    await idempotency.remember(scope, {command.batch_id: (digests, stored)}, now=now)
    return NoticeBatch(id=command.batch_id, replayed=False, receipts=receipts)


def _known(one: NewNotice, earlier: Recalled) -> NoticeRecorded | Refusal:
    return _conflict(one, earlier.differing) if earlier.differing else notice_recorded_of(earlier)


def _conflict(one: NewNotice, differing: Sequence[str]) -> IdempotencyConflict:
    return IdempotencyConflict(
        field=("external_id",), key=one.notice.external_id, differing=tuple(differing)
    )


def _replay(command: RecordOrderNotices, answer: Sequence[Any]) -> NoticeBatch:
    receipts = [
        NoticeReceipt(
            index=index,
            external_id=notice.external_id,
            status=ReceiptStatus(status),
            code=code and ErrorCode(code),
        )
        for index, ((status, code), notice) in enumerate(zip(answer, command.notices, strict=True))
    ]
    return NoticeBatch(id=command.batch_id, replayed=True, receipts=receipts)


def _receipt(
    index: int, notice: OrderNotice, outcome: NoticeRecorded | Refusal, *, is_duplicate: bool
) -> NoticeReceipt:
    if isinstance(outcome, Refusal):
        status, code = ReceiptStatus.REJECTED, outcome.code
        return NoticeReceipt(index=index, external_id=notice.external_id, status=status, code=code)
    status = ReceiptStatus.DUPLICATE if is_duplicate else ReceiptStatus.APPLIED
    return NoticeReceipt(index=index, external_id=notice.external_id, status=status)
