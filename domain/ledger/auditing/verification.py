"""Verifying accounts: sums, lots, holds, reversals and the hash chain, from what is stored alone.

Each check names a rule of the contract (docs/ledger.md). The ledger's own decisions are not
consulted, so that a fault in them shows; only the form of the hashed content is shared, which is
part of the contract.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.ledger.auditing.following import Account
from domain.ledger.auditing.violations import TAIL, WHOLE, Violation, stored_violations
from domain.storage import Row, fetch_all, moment_of, snapshot

ENTRIES_OF_A_PAGE: Final = 1_000
"""Entries that are read, and followed, before others get a turn."""

SHORT: Final = 2_000
"""An account of no more entries is verified whole even when only what changed is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far an account was found sound: its entry, the chain's hash and the balances there."""

    member_id: UUID
    seq: int
    hash: bytes
    available: int
    pending: int
    held: int
    debt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was verified: accounts, entries that were read, and what is wrong.

    `marks` are those of the accounts that are sound.
    """

    accounts: int
    entries: int
    violations: tuple[Violation, ...]
    marks: tuple[Mark, ...]


async def verify_account(member_id: UUID) -> list[Violation]:
    """The violations of one member's account; empty when it is sound. Reads the whole history."""
    return list((await verify_accounts([member_id])).violations)


async def verify_accounts(member_ids: Sequence[UUID], *, changed_only: bool = False) -> Checked:
    """Verify accounts as of one moment, so that postings under way are no violations.

    Inside the caller's transaction it sees what that one sees. No lock is taken. With
    `changed_only` long histories are read from the place on to which they were audited before
    (`points_audited`). The number of statements depends on the number of entries, not of accounts.
    """
    wanted = sorted(set(member_ids))
    if not wanted:
        return Checked(accounts=0, entries=0, violations=(), marks=())
    return await snapshot(lambda: _verify(wanted, changed_only=changed_only))


async def _verify(member_ids: list[UUID], *, changed_only: bool) -> Checked:
    rows = await fetch_all(
        "SELECT * FROM points_account WHERE member_id = ANY($1::uuid[]) ORDER BY member_id",
        member_ids,
    )
    marks = await _marks(member_ids) if changed_only else {}
    accounts: dict[UUID, Account] = {}
    for row in rows:
        mark = marks.get(row["member_id"])
        if mark is not None and (row["version"] <= SHORT or mark["seq"] > row["version"]):
            mark = None
        accounts[row["member_id"]] = Account(row, since=mark)
    tail = [one.member_id for one in accounts.values() if one.since > 0]
    whole = [member_id for member_id in member_ids if member_id not in set(tail)]

    found = await _strays(sorted(set(member_ids) - set(accounts)))
    entries = await _follow(accounts)
    for account in accounts.values():
        account.close()
    await _compare_lots(accounts, whole, tail)
    await _compare_holds(accounts, whole, tail)
    for violation in [
        *await stored_violations(WHOLE, whole),
        *await stored_violations(TAIL, tail),
    ]:
        if violation.member_id in accounts:
            accounts[violation.member_id].tell(violation.rule, violation.detail)
    found += [
        Violation(rule=rule, member_id=one.member_id, detail=detail)
        for one in accounts.values()
        for rule, detail in one.found
    ]
    return Checked(
        accounts=len(accounts),
        entries=entries,
        violations=tuple(found),
        marks=tuple(_mark(one) for one in accounts.values() if not one.found),
    )


async def _strays(member_ids: list[UUID]) -> list[Violation]:
    """Members without an account who have something that only an account can have."""
    if not member_ids:
        return []
    rows = await fetch_all(
        """
        SELECT member_id FROM points_entry WHERE member_id = ANY($1::uuid[])
        UNION SELECT member_id FROM points_lot WHERE member_id = ANY($1::uuid[])
        UNION SELECT member_id FROM points_hold WHERE member_id = ANY($1::uuid[])
        ORDER BY member_id
        """,
        member_ids,
    )
    return [
        Violation(rule="account", member_id=row["member_id"], detail="entries without an account")
        for row in rows
    ]


async def _marks(member_ids: list[UUID]) -> dict[UUID, Row]:
    rows = await fetch_all(
        "SELECT * FROM points_audited WHERE member_id = ANY($1::uuid[])", member_ids
    )
    return {row["member_id"]: row for row in rows}


def _mark(account: Account) -> Mark:
    available, pending, held, debt = account.balances
    return Mark(
        member_id=account.member_id,
        seq=account.seq,
        hash=account.head,
        available=available,
        pending=pending,
        held=held,
        debt=debt,
    )


# What a lot that has nothing free would change by itself is nobody's to see.
_LOT_SUMS = """
    SELECT member_id, COUNT(*) AS lots, MAX(lot_seq) AS newest, SUM(pinned) AS pinned,
           SUM(CASE WHEN pending THEN 0 ELSE remaining END) AS matured,
           SUM(CASE WHEN pending THEN remaining ELSE 0 END) AS pending,
           MIN(CASE WHEN remaining > pinned THEN
               CASE WHEN pending AND matures_at < expires_at THEN matures_at ELSE expires_at END
           END) AS due
    FROM ({lots}) AS l GROUP BY member_id
"""
_LOTS = (
    "SELECT member_id, lot_seq, remaining, pinned, pending, matures_at, expires_at FROM points_lot "
    "WHERE member_id = ANY($1::uuid[])"
)
# Two ranges of two partial indexes: a long history has few lots that are open.
_OPEN_LOTS = (
    f"{_LOTS} AND remaining > pinned UNION ALL {_LOTS} AND pinned > 0 AND remaining = pinned"
)


async def _compare_lots(accounts: dict[UUID, Account], whole: list[UUID], tail: list[UUID]) -> None:
    for member_ids, lots in ((whole, _LOTS), (tail, _OPEN_LOTS)):
        sums: dict[UUID, Row] = {}
        if member_ids:
            rows = await fetch_all(_LOT_SUMS.format(lots=lots), member_ids)
            sums = {row["member_id"]: row for row in rows}
        for member_id in member_ids:
            if (account := accounts.get(member_id)) is None:
                continue
            row = sums.get(member_id)
            account.compare_lots(
                matured=int(row["matured"]) if row else 0,
                pending=int(row["pending"]) if row else 0,
                pinned=int(row["pinned"]) if row else 0,
            )
            account.due_by(_due(row))
            if member_ids is whole:
                account.compare_lot_count(
                    lots=row["lots"] if row else 0, newest=row["newest"] if row else 0
                )


async def _compare_holds(
    accounts: dict[UUID, Account], whole: list[UUID], tail: list[UUID]
) -> None:
    rows = await fetch_all(
        """
        SELECT member_id, SUM(amount) AS amount, MIN(expires_at) AS due FROM points_hold
        WHERE member_id = ANY($1::uuid[]) AND state = 'OPEN' GROUP BY member_id
        """,
        [*whole, *tail],
    )
    open_holds = {row["member_id"]: row for row in rows}
    for account in accounts.values():
        row = open_holds.get(account.member_id)
        account.compare_held(int(row["amount"]) if row else 0)
        account.due_by(_due(row))
    told = {row["member_id"]: row for row in await fetch_all(_HOLDS, whole)} if whole else {}
    for member_id in whole:
        if member_id in accounts:
            found = told.get(member_id)
            accounts[member_id].compare_holds(
                holds=(int(found["holds"]), int(found["held"])) if found else (0, 0),
                captures=(int(found["captures"]), int(found["captured"])) if found else (0, 0),
                releases=int(found["releases"]) if found else 0,
            )


_HOLDS = """
    SELECT member_id, COUNT(*) AS holds, SUM(amount) AS held, SUM(captured) AS captured,
           SUM(CASE WHEN state = 'CAPTURED' THEN 1 ELSE 0 END) AS captures,
           SUM(CASE WHEN state IN ('RELEASED', 'EXPIRED') THEN 1 ELSE 0 END) AS releases
    FROM points_hold WHERE member_id = ANY($1::uuid[]) GROUP BY member_id
"""

_ENTRIES = """
    SELECT e.*, t.reason, t.note, t.reference, t.salt
    FROM points_entry AS e
    LEFT JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
"""
# The page first, then its texts, both by a short range of their primary keys: whatever the planner
# knows of the tables, nothing else of a long history is read.
_PAGE = """
    SELECT e.*, t.reason, t.note, t.reference, t.salt
    FROM (
        SELECT * FROM points_entry
        WHERE member_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
    ) AS e
    LEFT JOIN points_entry_text AS t
        ON t.member_id = $1 AND t.seq = e.seq AND t.seq > $2 AND t.seq <= $3
    ORDER BY e.seq
"""
_NO_END: Final = 2**62


async def _follow(accounts: dict[UUID, Account]) -> int:
    """Follow each account's journal to its end; returns how many entries were read.

    Short ones are read together, a long one page by page.
    """
    count, together = 0, list[UUID]()
    expected = 0
    for account in accounts.values():
        if account.row["version"] - account.since > ENTRIES_OF_A_PAGE:
            count += await _follow_long(account)
            continue
        expected += account.row["version"] - account.since
        together.append(account.member_id)
        if expected >= ENTRIES_OF_A_PAGE:
            count += await _follow_short(accounts, together)
            expected, together = 0, []
    return count + await _follow_short(accounts, together)


async def _follow_short(accounts: dict[UUID, Account], member_ids: list[UUID]) -> int:
    if not member_ids:
        return 0
    count = 0
    whole = [one for one in member_ids if accounts[one].since == 0]
    if whole:
        rows = await fetch_all(
            f"{_ENTRIES} WHERE e.member_id = ANY($1::uuid[]) ORDER BY e.member_id, e.seq", whole
        )
        for row in rows:
            accounts[row["member_id"]].follow(row)
        count = len(rows)
        await asyncio.sleep(0)
    for member_id in set(member_ids) - set(whole):
        count += await _follow_long(accounts[member_id])
    return count


async def _follow_long(account: Account) -> int:
    """Page by page; the last one is open, for there may be more entries than the account says."""
    count, after = 0, account.since
    upto = after + ENTRIES_OF_A_PAGE
    while True:
        if upto >= account.row["version"]:
            upto = _NO_END
        rows = await fetch_all(_PAGE, account.member_id, after, upto, ENTRIES_OF_A_PAGE)
        for row in rows:
            account.follow(row)
        count += len(rows)
        if upto == _NO_END and len(rows) < ENTRIES_OF_A_PAGE:
            return count
        after = rows[-1]["seq"] if upto == _NO_END else upto
        # Where nothing is left of what should be there, whatever comes after it is looked for.
        upto = after + ENTRIES_OF_A_PAGE if rows else _NO_END
        await asyncio.sleep(0)


def _due(row: Row | None) -> datetime | None:
    """When something of what was summed changes by itself."""
    return moment_of(row["due"]) if row and row["due"] else None
