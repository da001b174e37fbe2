"""Recording: what a transaction did is written as its very last step.

The head of the chain is one row that all who record must lock, so it is locked after every other
lock of the transaction, and only until the commit that follows at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import orjson
from tortoise.exceptions import IntegrityError

from domain.audit.chain import link
from domain.audit.values import Actor, AuditEntry, Head, Target
from domain.storage import Table, execute, fetch_one, transaction, until_commit

T = TypeVar("T")

_ENTRIES = Table(
    "audit_entry",
    seq="bigint",
    at="timestamptz",
    actor="text",
    account_id="uuid",
    action="text",
    target_kind="text",
    target_id="text",
    before="text",
    after="text",
    request_id="text",
    hash="bytea",
)

Facts = Mapping[str, Any]
"""What a row tells of a thing: plain JSON values by name. Codes, ids and settings, never what a
person may ask to have erased: rows are kept for ever."""


class NotAudited(Exception):
    """Raised when an act that must be recorded was not. A fault of ours; nothing was committed."""


class AuditChainBroken(Exception):
    """Raised when the log does not take the row that must follow: somebody changed it behind us.

    A row stands beyond the head already, or the head is not that of the rows. Nothing was committed
    and nothing will be, until whoever runs this has looked (`verify-audit`).
    """

    def __init__(self, seq: int) -> None:
        super().__init__(f"the audit log does not take row {seq}: its chain is broken")
        self.seq = seq


def record(
    by: Actor,
    action: str,
    *,
    target: Target | None = None,
    before: Facts | None = None,
    after: Facts | None = None,
    now: datetime,
) -> None:
    """Tell the log what is being done, inside the transaction that does it.

    The row commits exactly if the act does. `action` is `<thing>.<verb>` (`account.disable`);
    `before` and `after` are given where something changes.
    """
    until_commit(_Recording).rows.append(
        AuditEntry(
            seq=0,
            at=now,
            actor=by.name,
            account_id=by.account_id,
            action=action,
            target=target,
            before=_text(before),
            after=_text(after),
            request_id=by.request_id,
            hash=b"",
        )
    )


async def audited(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in one transaction that commits only if `work` recorded something.

    Raises NotAudited, with everything rolled back, when it did not.
    """

    async def recorded() -> T:
        rows = until_commit(_Recording).rows
        count = len(rows)
        result = await work()
        if len(rows) == count:
            raise NotAudited
        return result

    return await transaction(recorded)


async def head() -> Head:
    """The newest row's number and hash; zero and the genesis before the first."""
    row = await fetch_one("SELECT seq, hash FROM audit_head WHERE id = 1")
    assert row is not None, "the migration made it"
    return Head(seq=row["seq"], hash=bytes(row["hash"]))


class _Recording:
    """The rows of one transaction until it commits; their numbers and hashes come last."""

    # After the events of the outbox, whose locks many more transactions take.
    rank: ClassVar[int] = 1

    def __init__(self) -> None:
        self.rows: list[AuditEntry] = []

    async def before_commit(self) -> None:
        if not self.rows:
            return
        row = await fetch_one("SELECT seq, hash FROM audit_head WHERE id = 1 FOR NO KEY UPDATE")
        assert row is not None, "the migration made it"
        seq, last = row["seq"], bytes(row["hash"])
        chained = []
        for told in self.rows:
            seq += 1
            entry = replace(told, seq=seq)
            last = link(last, entry)
            chained.append(replace(entry, hash=last))
        try:
            await _ENTRIES.insert(_row(entry) for entry in chained)
            await execute("UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1", seq, last)
        except IntegrityError as refused:
            # No race: the head is locked, so whoever else records waits. To try again is in vain.
            raise AuditChainBroken(row["seq"] + 1) from refused

    def after_commit(self) -> None:
        """Nobody waits for it."""


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "account_id": entry.account_id,
        "action": entry.action,
        "target_kind": entry.target.kind if entry.target else None,
        "target_id": entry.target.id if entry.target else None,
        "before": entry.before,
        "after": entry.after,
        "request_id": entry.request_id,
        "hash": entry.hash,
    }


def _text(facts: Facts | None) -> str | None:
    return None if facts is None else orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()
