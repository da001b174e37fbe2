"""Freezing accounts that an audit found unsound: they earn on, and nothing is spent from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import structlog

from domain import audit
from domain.audit import Actor, Target
from domain.ledger.auditing.verification import verify_account
from domain.ledger.auditing.violations import Violation
from domain.storage import execute, fetch_all, fetch_one, transaction

log = structlog.get_logger("jifen.ledger")

Broken: TypeAlias = Mapping[UUID, Sequence[Violation]]
"""What each member's account breaks."""


class StillViolated(Exception):
    """Raised when an account is to be released that still breaks rules."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(f"{len(violations)} rules are still broken")
        self.violations = violations


async def freeze(broken: Broken, *, by: Actor, now: datetime) -> list[UUID]:
    """Freeze those accounts that are not frozen yet, and raise the alert; returns which.

    Each has a row in the audit log. A member without an account cannot be frozen, only told of.
    """
    frozen = await transaction(lambda: _freeze(broken, by=by, now=now))
    strays = [
        member_id
        for member_id, violations in broken.items()
        if any(one.rule == "account" for one in violations)
    ]
    for member_id in [*frozen, *strays]:
        # The alert: whoever watches the logs is to be woken by it.
        log.error(
            "ledger_violation",
            member_id=str(member_id),
            violations=[f"{one.rule}: {one.detail}" for one in broken[member_id][:5]],
            found=len(broken[member_id]),
        )
    return frozen


async def frozen_accounts() -> int:
    """How many accounts are frozen for debits."""
    row = await fetch_one(
        "SELECT COUNT(*) AS accounts FROM points_account WHERE frozen_at IS NOT NULL"
    )
    assert row is not None
    return int(row["accounts"])


async def unfreeze_account(member_id: UUID, *, by: Actor, now: datetime) -> bool:
    """Let a frozen account spend again; False where it is not frozen, or there is none.

    It is verified under its lock first: StillViolated where it breaks a rule yet. There is no way
    around that, since the next audit would freeze it again.
    """

    async def work() -> bool:
        row = await fetch_one(
            "SELECT frozen_at FROM points_account WHERE member_id = $1 FOR NO KEY UPDATE", member_id
        )
        if row is None or row["frozen_at"] is None:
            return False
        violations = await verify_account(member_id)
        if violations:
            raise StillViolated(violations)
        await execute("UPDATE points_account SET frozen_at = NULL WHERE member_id = $1", member_id)
        audit.record(
            by,
            "points.unfreeze",
            target=_target(member_id),
            before={"frozenAt": row["frozen_at"].isoformat()},
            after={"frozenAt": None},
            now=now,
        )
        return True

    return await transaction(work)


async def _freeze(broken: Broken, *, by: Actor, now: datetime) -> list[UUID]:
    """Freeze for debits those accounts that are not frozen yet."""
    rows = await fetch_all(
        """
        SELECT member_id FROM points_account
        WHERE member_id = ANY($1::uuid[]) AND frozen_at IS NULL
        ORDER BY member_id FOR NO KEY UPDATE
        """,
        sorted(broken),
    )
    frozen = [row["member_id"] for row in rows]
    if not frozen:
        return []
    await execute(
        "UPDATE points_account SET frozen_at = $2 WHERE member_id = ANY($1::uuid[])", frozen, now
    )
    # Nothing of it counts as audited until it is mended.
    await execute("DELETE FROM points_audited WHERE member_id = ANY($1::uuid[])", frozen)
    for member_id in frozen:
        audit.record(
            by,
            "points.freeze",
            target=_target(member_id),
            before={"frozenAt": None},
            after={
                "frozenAt": now.isoformat(),
                "rules": sorted({one.rule for one in broken[member_id]}),
            },
            now=now,
        )
    return frozen


def _target(member_id: UUID) -> Target:
    return Target(kind="member", id=str(member_id))
