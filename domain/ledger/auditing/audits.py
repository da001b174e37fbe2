"""The continuous audit: verify accounts in batches, and freeze for debits those that fail.

Complete, it reads every history; otherwise only accounts that changed since they were last found
sound, and of long histories only what is new. What changed is told by comparing each account's
version with the one that was audited (`points_audited`), not by time: a transaction that commits
late is found by the next audit. Batches are bounded, nothing is locked while they are verified, and
several audits may run at once: they find the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields
from datetime import datetime
from time import monotonic
from typing import Final
from uuid import UUID

from domain import audit
from domain.audit import Actor
from domain.ledger.auditing.freezing import freeze
from domain.ledger.auditing.verification import Checked, Mark, verify_accounts
from domain.ledger.auditing.violations import Violation
from domain.storage import Row, Table, fetch_all, fetch_one, inside_transaction, transaction

ACCOUNTS_OF_A_BATCH: Final = 500
ENTRIES_OF_A_BATCH: Final = 20_000
"""What one batch verifies at most, but one account whole."""

VIOLATIONS_TOLD: Final = 100
"""Of what an audit finds so many are told, and all are counted."""

_FIRST: Final = UUID(int=0)
_LAST: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """An audit with a name: one that is cut off is gone on with by the next of its slot.

    `around` lets it begin anew after the last account, until it comes to where it began; slots do
    not matter then.
    """

    name: str
    slot_at: datetime
    around: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAudit:
    """What an audit found. `violations` are the first VIOLATIONS_TOLD of `violations_found`.

    `complete` says that every account there was had its turn; `frozen` are those that this audit
    froze.
    """

    ran_at: datetime
    accounts_checked: int
    entries_checked: int
    violations: tuple[Violation, ...]
    violations_found: int
    frozen: tuple[UUID, ...]
    complete: bool


async def audit_ledger(
    *,
    by: Actor,
    now: datetime,
    complete: bool = True,
    frozen: bool = True,
    within_s: float | None = None,
    walk: Walk | None = None,
    longest: int | None = None,
    told: Callable[[int], None] = lambda entries: None,
) -> LedgerAudit:
    """Verify all accounts, or with `complete=False` those that changed; freeze those that fail.

    What is frozen counts as changed until it is mended; `frozen=False` leaves it to others. After
    `within_s` no further batch is begun, and histories of more than `longest` entries are left out:
    either is told by `complete`. `told` hears of the entries of each batch. The audit log tells of
    what was frozen only; see `audit_by_hand`.

    Not inside a transaction: each batch has to be seen as of one moment, which READ COMMITTED does
    not give, and sound accounts would be frozen.
    """
    assert not inside_transaction(), "an audit needs snapshots of its own"
    ends_at = None if within_s is None else monotonic() + within_s
    tally = _Tally()
    ended = True
    following = (_NEXT if complete else _NEXT_CHANGED).format(
        "" if frozen else " AND a.frozen_at IS NULL"
    )
    async with aclosing(_batches(following, strays=complete, walk=walk)) as batches:
        async for batch in batches:
            if ends_at is not None and monotonic() >= ends_at:
                ended = False
                break
            members = batch.members(longest)
            tally.left_out += len(batch.accounts) + len(batch.strays) - len(members)
            checked = await verify_accounts(members, changed_only=not complete)
            tally.add(checked, await _settle(checked, by=by, now=now))
            told(checked.entries)
            if walk is not None:
                await _keep_place(walk, batch.place)
    if ended and walk is not None:
        await _finish(walk)
    return LedgerAudit(
        ran_at=now,
        accounts_checked=tally.accounts,
        entries_checked=tally.entries,
        violations=tuple(tally.violations),
        violations_found=tally.found,
        frozen=tuple(tally.frozen),
        complete=ended and tally.left_out == 0,
    )


async def audit_by_hand(
    *,
    by: Actor,
    now: datetime,
    complete: bool = True,
    within_s: float | None = None,
    told: Callable[[int], None] = lambda entries: None,
) -> LedgerAudit:
    """Audit because somebody asks, which the audit log tells; as `audit_ledger`.

    Within a time it goes on where the last one was cut off, and leaves out histories that alone
    would take too long.
    """
    timed = within_s is not None
    found = await audit_ledger(
        by=by,
        now=now,
        complete=complete,
        within_s=within_s,
        walk=Walk(name="by-hand", slot_at=now, around=True) if timed else None,
        longest=ENTRIES_OF_A_BATCH if timed else None,
        told=told,
    )

    async def tell() -> None:
        facts = {
            "accounts": found.accounts_checked,
            "entries": found.entries_checked,
            "violations": found.violations_found,
            "complete": complete and found.complete,
        }
        audit.record(by, "ledger.audit", after=facts, now=now)

    await transaction(tell)
    return found


async def entries_to_audit() -> int:
    """About how many entries a complete audit reads."""
    row = await fetch_one("SELECT COALESCE(SUM(version), 0) AS entries FROM points_account")
    assert row is not None
    return int(row["entries"])


class _Tally:
    """What was found so far."""

    def __init__(self) -> None:
        self.accounts = self.entries = self.found = self.left_out = 0
        self.violations: list[Violation] = []
        self.frozen: list[UUID] = []

    def add(self, checked: Checked, frozen: list[UUID]) -> None:
        """One more batch."""
        self.accounts += checked.accounts
        self.entries += checked.entries
        self.found += len(checked.violations)
        self.violations += checked.violations[: VIOLATIONS_TOLD - len(self.violations)]
        self.frozen += frozen


@dataclass(frozen=True, slots=True)
class _Batch:
    """Accounts with their numbers of entries, members among them without one, where it ends."""

    accounts: dict[UUID, int]
    strays: list[UUID]
    place: UUID

    def members(self, longest: int | None) -> list[UUID]:
        """Those to verify."""
        known = [m for m, count in self.accounts.items() if longest is None or count <= longest]
        return [*known, *self.strays]


async def _batches(
    following: str, *, strays: bool, walk: Walk | None
) -> AsyncGenerator[_Batch, None]:
    """The accounts in the order of their ids, from where the walk stands."""
    begin = _FIRST if walk is None else await _place(walk)
    if begin is None:
        return
    ranges = [(begin, _LAST)]
    if walk is not None and walk.around and begin != _FIRST:
        ranges.append((_FIRST, begin))
    for after, until in ranges:
        async for batch in _range(after, until, following=following, strays=strays):
            yield batch


async def _range(
    after: UUID, until: UUID, *, following: str, strays: bool
) -> AsyncGenerator[_Batch, None]:
    while True:
        rows = await fetch_all(following, after, until, ACCOUNTS_OF_A_BATCH)
        accounts = _bounded(rows)
        ends = len(rows) < ACCOUNTS_OF_A_BATCH and len(accounts) == len(rows)
        place = until if ends else max(accounts)
        found = await _strays(after, place) if strays else []
        if accounts or found:
            yield _Batch(accounts, found, place)
        if ends:
            return
        after = place


def _bounded(rows: Sequence[Row]) -> dict[UUID, int]:
    """The first accounts that have no more entries together than a batch may verify."""
    accounts: dict[UUID, int] = {}
    entries = 0
    for row in rows:
        entries += row["version"]
        if accounts and entries > ENTRIES_OF_A_BATCH:
            break
        accounts[row["member_id"]] = row["version"]
    return accounts


_NEXT = """
    SELECT a.member_id, a.version FROM points_account AS a
    WHERE a.member_id > $1 AND a.member_id <= $2{}
    ORDER BY a.member_id LIMIT $3
"""
_NEXT_CHANGED = """
    SELECT a.member_id, a.version FROM points_account AS a
    LEFT JOIN points_audited AS c ON c.member_id = a.member_id
    WHERE a.member_id > $1 AND a.member_id <= $2 AND (c.seq IS NULL OR c.seq <> a.version){}
    ORDER BY a.member_id LIMIT $3
"""


async def _strays(after: UUID, until: UUID) -> list[UUID]:
    """Members between who have entries, lots or holds, but no account."""
    rows = await fetch_all(
        " UNION ".join(
            f"SELECT t.member_id FROM {table} AS t WHERE t.member_id > $1 AND t.member_id <= $2"
            " AND NOT EXISTS (SELECT 1 FROM points_account AS a WHERE a.member_id = t.member_id)"
            for table in ("points_entry", "points_lot", "points_hold")
        ),
        *(after, until),
    )
    return [row["member_id"] for row in rows]


async def _settle(checked: Checked, *, by: Actor, now: datetime) -> list[UUID]:
    """Mark what is sound, freeze what is not; returns the accounts that were frozen now."""
    await _mark(checked.marks, now=now)
    broken: dict[UUID, list[Violation]] = {}
    for violation in checked.violations:
        broken.setdefault(violation.member_id, []).append(violation)
    if not broken:
        return []
    return await freeze(broken, by=by, now=now)


_AUDITED = Table(
    "points_audited",
    member_id="uuid",
    seq="bigint",
    hash="bytea",
    available="bigint",
    pending="bigint",
    held="bigint",
    debt="bigint",
    audited_at="timestamptz",
)
_MARKED: Final = tuple(one.name for one in fields(Mark))


async def _mark(marks: tuple[Mark, ...], *, now: datetime) -> None:
    await _AUDITED.insert(
        ({**{name: getattr(mark, name) for name in _MARKED}, "audited_at": now} for mark in marks),
        or_update="(member_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash,"
        " available = excluded.available, pending = excluded.pending, held = excluded.held,"
        " debt = excluded.debt, audited_at = excluded.audited_at",
    )


_PLACES = Table(
    "points_audit_place",
    walk="text",
    slot_at="timestamptz",
    after_member="uuid",
    finished="boolean",
)


async def _place(walk: Walk) -> UUID | None:
    """After which member the walk goes on; None where it is over."""
    row = await fetch_one(
        "SELECT slot_at, after_member, finished FROM points_audit_place WHERE walk = $1", walk.name
    )
    if row is None or (not walk.around and row["slot_at"] != walk.slot_at):
        return _FIRST
    if row["finished"]:
        return _FIRST if walk.around else None
    return row["after_member"] or _FIRST


async def _keep_place(walk: Walk, after: UUID) -> None:
    await _write_place(walk, after=None if after == _LAST else after, finished=False)


async def _finish(walk: Walk) -> None:
    await _write_place(walk, after=None, finished=True)


async def _write_place(walk: Walk, *, after: UUID | None, finished: bool) -> None:
    row = {
        "walk": walk.name,
        "slot_at": walk.slot_at,
        "after_member": after,
        "finished": finished,
    }
    await _PLACES.insert(
        [row],
        or_update="(walk) DO UPDATE SET slot_at = excluded.slot_at,"
        " after_member = excluded.after_member, finished = excluded.finished",
    )
