"""What commands would come to: the decisions of a posting, and nothing is written.

A draft holds copies of the accounts, whether they are locked or not. So whoever has to choose what
to post tries it first, and whoever only asks is answered by the code that would post it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.errors import AccountFrozen
from domain.ledger.book import Book, Books
from domain.ledger.commands import Command, Place, members_of, past_of
from domain.ledger.deciding import check
from domain.ledger.entries import POINTS_MAX, Past
from domain.ledger.heirs import STEPS_MAX, Heirs, open_heirs
from domain.ledger.loading import load_open_lots, load_past
from domain.ledger.posting import UnsoundError, apply_command, concerned_by, settle
from domain.ledger.store import look_at_accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A member's balances as of the draft's moment, after what was applied to it."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Accounts as they stand, to which commands are applied without a write.

    What is stored of the `unsound` contradicts itself, so nothing is decided by it.
    """

    now: datetime
    books: Mapping[UUID, Book]
    heirs: Heirs
    past: Mapping[Place, Past]
    unsound: frozenset[UUID]

    def after(self, commands: Sequence[Command]) -> Draft:
        """The accounts after a posting of the commands; raises the refusal of the first refused."""
        ids = {
            book.member_id
            for command in commands
            for book in concerned_by(command, self.books, self.heirs)
        }
        if not self.unsound.isdisjoint(ids):
            raise AccountFrozen
        books = {**self.books, **{one: deepcopy(self.books[one]) for one in ids}}
        heirs = Heirs(
            books={one: books[heir.member_id] for one, heir in self.heirs.books.items()},
            came=self.heirs.came,
        )
        past = dict(self.past)
        for command in commands:
            check(command)
            try:
                apply_command(command, books, past, heirs=heirs, now=self.now)
            except UnsoundError as found:
                raise AccountFrozen from found
        return replace(self, books=books, heirs=heirs, past=past)

    def standing(self, member_id: UUID) -> Foreseen:
        """The member's balances; an account that was given up has what its heir has."""
        book = self.heirs.books.get(member_id) or self.books.get(member_id)
        if book is None:
            return Foreseen()
        return Foreseen(
            available=book.available, pending=book.pending, held=book.held, debt=book.debt
        )


async def draft(
    commands: Iterable[Command],
    *,
    of: Collection[UUID] = (),
    now: datetime,
    books: Books | None = None,
) -> Draft:
    """The accounts that the commands may concern, and those `of` members, settled as of `now`.

    Any of the commands may then be applied, in any order. `books` are those that `lock_accounts`
    gave for all of them, and stay as they are; without them the accounts are looked at, unlocked.
    A fixed number of statements, and one more for each merge on the way.
    """
    given = list(commands)
    wanted = {one for command in given for one in members_of(command)} | set(of)
    known = await look_at_accounts(wanted) if books is None else deepcopy(dict(books))
    for _ in range(STEPS_MAX):
        led = {book.merged_into for book in known.values() if book.merged_into is not None}
        unknown = (wanted | led) - known.keys()
        if not unknown:
            break
        # Who had no points yet has no account; a posting would make it.
        known |= {one: Book(member_id=one, recorded_at=now) for one in unknown}
        known |= await look_at_accounts(unknown)
    heirs = await open_heirs(known, given, now=now)
    needy = [book for book in known.values() if not book.lots_complete]
    # Which of the commands will be applied is not known: so all that could be spent is loaded.
    await load_open_lots(needy, needed={book.member_id: POINTS_MAX for book in needy}, now=now)
    past = await load_past(known, {place for one in given if (place := past_of(one))})
    unsound = set()
    for book in known.values():
        try:
            settle(book, now=now)
        except UnsoundError as found:
            unsound |= set(found.member_ids)
    return Draft(now=now, books=known, heirs=heirs, past=past, unsound=frozenset(unsound))
