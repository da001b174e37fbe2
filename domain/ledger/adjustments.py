"""Adjustments: staff corrects a balance, with a reason; a large one needs a second person.

Up to a threshold it takes effect at once. Above it, also in many parts, it waits until somebody
else approves it, and is decided against the balance of that moment. Every act is in the audit log.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain import audit, idempotency
from domain.audit import Actor, Target
from domain.errors import (
    AdjustmentNotPending,
    AdjustmentUnknown,
    ApprovalByRequester,
    InvalidInput,
    MemberNotFound,
    PointsOutOfRange,
)
from domain.ledger.book import Books
from domain.ledger.client_keys import child_id, recall, remember
from domain.ledger.commands import Adjust, Key
from domain.ledger.decisions import checked_points
from domain.ledger.entries import Source
from domain.ledger.expiry import AfterMonths, expires_at
from domain.ledger.naming import lock_named
from domain.ledger.posting import post_one
from domain.ledger.store import open_books, remove_unused
from domain.members import MemberRef, as_named
from domain.paging import Page, PageRequest, page_of
from domain.program import program
from domain.storage import Row, Table, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_text

SOURCE_KIND: Final = "adjustment"
REASON_CHARACTERS_MAX: Final = 500
TOGETHER: Final = timedelta(hours=24)
"""What one person adjusts alone for one member within this time counts together."""


class AdjustmentStatus(StrEnum):
    """What became of an adjustment."""

    PENDING = "PENDING"
    """It waits for the approval of somebody else, and has changed nothing yet."""
    APPLIED = "APPLIED"
    """It took effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentRules:
    """What one person may adjust alone, as an absolute number, and how long added points live."""

    alone_max: int = 1_000
    expiry_months: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustPoints:
    """Add `points` to a member's balance, or take them away where they are negative."""

    member: MemberRef
    points: int
    reason: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveAdjustment:
    """Let an adjustment take effect that somebody else asked for."""

    adjustment_id: UUID
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """An adjustment; `requester` and `approver` as the audit log names them.

    `entry_seq` is the entry that it made, None while it is pending.
    """

    id: UUID
    member_id: UUID
    points: int
    reason: str
    status: AdjustmentStatus
    requested_by: UUID
    requester: str
    requested_at: datetime
    approved_by: UUID | None = None
    approver: str | None = None
    applied_at: datetime | None = None
    entry_seq: int | None = None

    @property
    def approvals_needed(self) -> int:
        """How many approvals it waits for."""
        return 1 if self.status is AdjustmentStatus.PENDING else 0


async def adjust_points(
    command: AdjustPoints, *, by: Actor, rules: AdjustmentRules, now: datetime
) -> Adjustment:
    """Apply an adjustment, or keep it until it is approved; the same key gives the first answer.

    Refused: InvalidInput, PointsOutOfRange, MemberNotFound, IdempotencyConflict; where it takes
    effect at once InsufficientPoints and AccountFrozen too.
    """
    _check(command)
    requester = _account_of(by)
    key = Key(scope=f"points.adjust:{requester}", key=command.idempotency_key)
    digests = idempotency.digests(
        {
            "member": as_named(command.member),
            "points": command.points,
            "reason": command.reason,
        }
    )

    async def work() -> Adjustment:
        [member_id], locked = await lock_named([command.member])
        # Made where it is missing: what one person adjusts alone is summed under its lock.
        named = [] if member_id is None else [member_id]
        books = await open_books(named, now=now, locked=locked)
        answer = await recall(key, digests)
        if answer is not None:
            await remove_unused(books.values())
            return await _told_again(answer, "points.adjust", by=by, now=now)
        if member_id is None:
            raise MemberNotFound(field=("member",))
        asked = Adjustment(
            id=child_id("adjustment", str(requester), command.idempotency_key),
            member_id=member_id,
            points=command.points,
            reason=command.reason,
            status=AdjustmentStatus.PENDING,
            requested_by=requester,
            requester=by.name,
            requested_at=now,
        )
        alone = await _adjusted_alone(member_id, requester, since=now - TOGETHER)
        if alone + abs(command.points) <= rules.alone_max:
            made = await _applied(asked, rules=rules, now=now, books=books)
        else:
            made = asked
            await remove_unused(books.values())
        await _ADJUSTMENTS.insert([{**asdict(made), "status": made.status.value}])
        _record(by, "points.adjust", made, before=None, now=now)
        await remember(key, digests, _answer_of(made), now=now)
        return made

    return await transaction(work)


async def approve_adjustment(
    command: ApproveAdjustment, *, by: Actor, rules: AdjustmentRules, now: datetime
) -> Adjustment:
    """Apply a pending adjustment against the balance of now; a refused one stays pending.

    Refused: InvalidInput, AdjustmentUnknown, ApprovalByRequester, AdjustmentNotPending,
    InsufficientPoints, AccountFrozen, PointsOutOfRange, IdempotencyConflict.
    """
    idempotency.checked_key(command.idempotency_key)
    approver = _account_of(by)
    key = Key(scope=f"points.approve:{approver}", key=command.idempotency_key)
    digests = idempotency.digests({"adjustment_id": str(command.adjustment_id)})

    async def work() -> Adjustment:
        # The row is the lock: of two who approve at once the second finds it applied.
        asked = await _locked(command.adjustment_id)
        answer = await recall(key, digests)
        if answer is not None:
            return await _told_again(answer, "points.approve", by=by, now=now)
        if asked is None:
            raise AdjustmentUnknown(field=("adjustment_id",))
        if asked.requested_by == approver:
            raise ApprovalByRequester
        if asked.status is not AdjustmentStatus.PENDING:
            raise AdjustmentNotPending(status=asked.status.value)
        made = replace(
            await _applied(asked, rules=rules, now=now), approved_by=approver, approver=by.name
        )
        await execute(
            """
            UPDATE points_adjustment SET status = $2, entry_seq = $3, applied_at = $4,
                approved_by = $5, approver = $6
            WHERE id = $1
            """,
            *(made.id, made.status.value, made.entry_seq, made.applied_at),
            *(made.approved_by, made.approver),
        )
        _record(by, "points.approve", made, before=asked, now=now)
        await remember(key, digests, _answer_of(made), now=now)
        return made

    return await transaction(work)


async def pending_adjustments(page: PageRequest, *, by: Actor, now: datetime) -> Page[Adjustment]:
    """A page of those that wait, oldest first, by the key (requested_at, id); the look is told."""

    async def work() -> Page[Adjustment]:
        after = page.after or (datetime.min.replace(tzinfo=now.tzinfo), UUID(int=0))
        rows = await fetch_all(
            f"SELECT {_COLUMNS} FROM points_adjustment"
            " WHERE status = 'PENDING' AND (requested_at, id) > ($1, $2)"
            " ORDER BY requested_at, id LIMIT $3",
            *(*after, page.limit),
        )
        found = [_adjustment_of(row) for row in rows]
        shown = [str(one.id) for one in found[: page.first]]
        audit.record(by, "adjustments.read", after={"adjustments": shown}, now=now)
        return page_of(found, first=page.first, key=lambda one: (one.requested_at, one.id))

    return await transaction(work)


def _check(command: AdjustPoints) -> None:
    idempotency.checked_key(command.idempotency_key)
    if command.points == 0:
        raise PointsOutOfRange(points=0, field=("points",))
    checked_points(abs(command.points))
    clean_text(
        command.reason,
        field=("reason",),
        characters_min=1,
        characters_max=REASON_CHARACTERS_MAX,
        lines=True,
    )
    if not command.reason.strip():
        raise InvalidInput(field=("reason",), rule="a reason in words")


def _account_of(by: Actor) -> UUID:
    assert by.account_id is not None, "adjustments are made by accounts of staff"
    return by.account_id


async def _adjusted_alone(member_id: UUID, requester: UUID, *, since: datetime) -> int:
    """How much of this member's points one person moved alone lately, up and down together."""
    row = await fetch_one(
        """
        SELECT COALESCE(SUM(ABS(points)), 0) AS points FROM points_adjustment
        WHERE member_id = $1 AND requested_by = $2 AND applied_at > $3 AND approved_by IS NULL
        """,
        *(member_id, requester, since),
    )
    assert row is not None
    return int(row["points"])


async def _applied(
    asked: Adjustment,
    *,
    rules: AdjustmentRules,
    now: datetime,
    books: Books | None = None,
) -> Adjustment:
    posted = await post_one(
        Adjust(
            member_id=asked.member_id,
            points=asked.points,
            reason=asked.reason,
            source=Source(kind=SOURCE_KIND, reference=str(asked.id)),
            expires_at=expires_at(
                AfterMonths(rules.expiry_months), earned_at=now, zone=(await program()).zone
            ),
        ),
        now=now,
        books=books,
    )
    return replace(asked, status=AdjustmentStatus.APPLIED, applied_at=now, entry_seq=posted.seq)


_COLUMNS: Final = (
    "id, member_id, points, reason, status, requested_by, requester, requested_at, approved_by, "
    "approver, applied_at, entry_seq"
)
_BY_ID: Final = f"SELECT {_COLUMNS} FROM points_adjustment WHERE id = $1"


async def _locked(adjustment_id: UUID) -> Adjustment | None:
    row = await fetch_one(f"{_BY_ID} FOR NO KEY UPDATE", adjustment_id)
    return None if row is None else _adjustment_of(row)


async def _told_again(answer: Any, action: str, *, by: Actor, now: datetime) -> Adjustment:
    """The adjustment as it was first answered, whatever became of it since."""
    # Not locked: who asks has the account's lock, and an approval takes the row's before that one.
    row = await fetch_one(_BY_ID, UUID(answer["id"]))
    assert row is not None, "what was answered was written"
    first = _adjustment_of(row)
    first = replace(first, status=AdjustmentStatus(answer["status"]), entry_seq=answer["entry_seq"])
    if first.status is AdjustmentStatus.PENDING:
        first = replace(first, applied_at=None, approved_by=None, approver=None)
    audit.record(
        by,
        action,
        target=Target(kind="member", id=str(first.member_id)),
        after={**_facts(first), "replayed": True},
        now=now,
    )
    return first


def _answer_of(made: Adjustment) -> dict[str, Any]:
    return {
        "id": str(made.id),
        "status": made.status.value,
        "entry_seq": made.entry_seq,
    }


def _facts(made: Adjustment) -> dict[str, Any]:
    """What the audit log tells: never the reason, which is about a person and may be erased."""
    return {
        "adjustment": str(made.id),
        "points": made.points,
        "status": made.status.value,
        "entry": made.entry_seq,
        "requester": made.requester,
    }


def _record(
    by: Actor, action: str, made: Adjustment, *, before: Adjustment | None, now: datetime
) -> None:
    audit.record(
        by,
        action,
        target=Target(kind="member", id=str(made.member_id)),
        before=None if before is None else _facts(before),
        after=_facts(made),
        now=now,
    )


_ADJUSTMENTS = Table(
    "points_adjustment",
    id="uuid",
    member_id="uuid",
    points="bigint",
    reason="text",
    status="text",
    requested_by="uuid",
    requester="text",
    requested_at="timestamptz",
    approved_by="uuid",
    approver="text",
    applied_at="timestamptz",
    entry_seq="bigint",
)


def _adjustment_of(row: Row) -> Adjustment:
    facts = dict(row)
    return Adjustment(**{**facts, "status": AdjustmentStatus(facts["status"])})
