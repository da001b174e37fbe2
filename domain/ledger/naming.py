"""Whom references name, and their accounts under lock: of a record that nobody gives up meanwhile.

A merge may commit between the look and the lock. Whoever waited for it looks again, and finds who
has the record now. Members come first, then accounts, as in a merge: so the two never wait for each
other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from domain.ledger.book import Book
from domain.ledger.store import lock_accounts
from domain.members import MemberRef, lock_members, resolve_members
from domain.storage import TransactionContended

LOOKS_MAX: Final = 4
"""How often it is looked: once more after each merge on the way."""


async def lock_named(
    references: Sequence[MemberRef], *, others: Iterable[UUID] = ()
) -> tuple[list[UUID | None], dict[UUID, Book]]:
    """The members whom the references name, in order, and their accounts and those of `others`.

    The members are locked as by `lock_members`, then the accounts as by `lock_accounts`.
    """
    more = list(others)
    for _ in range(LOOKS_MAX):
        found = await resolve_members(references)
        named = {member_id for member_id in found if member_id is not None}
        locked = await lock_members(named)
        if all(locked.get(one) == one for one in named):
            return found, await lock_accounts({*more, *named})
    raise TransactionContended("the members' records were joined to others each time")
