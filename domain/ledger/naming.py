"""Whom references name, and their accounts under lock: of a record that nobody gives up meanwhile.

A merge may commit between the look and the lock, or be undone. Whoever waited for it looks again,
and finds who has the record now. Members come first, then accounts, as in a merge: so the two never
wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from domain.ledger.book import Book
from domain.ledger.store import lock_accounts
from domain.members import MemberRef, lock_resolved


async def lock_named(
    references: Sequence[MemberRef], *, others: Iterable[UUID] = ()
) -> tuple[list[UUID | None], dict[UUID, Book]]:
    """The members whom the references name, in order, and their accounts and those of `others`.

    The members are locked as by `lock_resolved`, then the accounts as by `lock_accounts`.
    """
    found = await lock_resolved(references)
    named = {member_id for member_id in found if member_id is not None}
    return found, await lock_accounts({*others, *named})
