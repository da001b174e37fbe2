"""Commands that name an account which was given up, and who has its points now.

What is new is done in the heir's account. What is about an entry of the closed journal is written
there, where the entry stands, and goes over to the heir at once by a pair of MERGE entries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from domain.ledger.book import Book, Books, Salt
from domain.ledger.commands import (
    Capture,
    Command,
    GiveBack,
    Mature,
    Release,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import POINTS_MAX, Past, Source
from domain.ledger.loading import load_open_lots
from domain.ledger.merge_decisions import SOURCE_KIND, Handing, LotPlace, carry_over
from domain.ledger.origins import came_from
from domain.ledger.store import open_books

STEPS_MAX: Final = 64
"""So many merges are followed."""


@dataclass(slots=True)
class Heirs:
    """Who has the points of closed accounts: an open book for each, by the closed one's member.

    `came` tells what became of their lots there; `handings` collects what goes over by a posting.
    """

    books: Books = field(default_factory=dict)
    handings: list[Handing] = field(default_factory=list)
    came: Mapping[LotPlace, Collection[LotPlace]] = field(default_factory=dict)

    def aimed(self, command: Command) -> Command:
        """The command at the accounts that are open; what is about the past keeps its place."""
        if isinstance(command, Mature | TakeBack | GiveBack | Capture | Release):
            return command
        if command.member_id in self.books:
            command = replace(command, member_id=self.books[command.member_id].member_id)
        if isinstance(command, Transfer) and command.to_member_id in self.books:
            command = replace(command, to_member_id=self.books[command.to_member_id].member_id)
        return command

    def of(self, command: Command) -> Book | None:
        """Who has the points of the closed account whose past the command is about."""
        if isinstance(command, Mature | TakeBack | GiveBack):
            return self.books.get(command.member_id)
        return None

    def lots_of(self, command: Command, past: Past) -> tuple[int, ...]:
        """The heir's open lots that the entry made, in the closed account."""
        heir = self.books[command.member_id]
        return tuple(
            lot_seq
            for made in past.lots
            for member_id, lot_seq in self.came.get((command.member_id, made), ())
            if member_id == heir.member_id and lot_seq in heir.lots
        )

    def carry(
        self, command: Command, closed: Book, past: Past, *, now: datetime, salt: Salt
    ) -> None:
        """Let what the command did to the closed account go over to its heir."""
        handing = carry_over(
            closed,
            self.books[command.member_id],
            origins={},
            source=Source(kind=SOURCE_KIND, reference=command.source.reference),
            now=now,
            salt=salt,
            first=self.lots_of(command, past),
        )
        if handing is not None:
            self.handings.append(handing)


async def open_heirs(books: Books, commands: Iterable[Command], *, now: datetime) -> Heirs:
    """The heirs of the closed accounts among these, locked; with their lots where they matter.

    No statement where all are open.
    """
    leads = {one.member_id: one.merged_into for one in books.values() if one.merged_into}
    if not leads:
        return Heirs()
    known = dict(books)
    for _ in range(STEPS_MAX):
        if unknown := set(leads.values()) - known.keys():
            known |= await open_books(unknown, now=now)
        further = {one: known[to].merged_into or to for one, to in leads.items()}
        if further == leads:
            break
        leads = further
    heirs = Heirs(books={one: known[to] for one, to in leads.items()})
    about = [one for one in commands if heirs.of(one) is not None]
    concerned = {heir.member_id: heir for one in about if (heir := heirs.of(one)) is not None}
    if concerned:
        everything = dict.fromkeys(concerned, POINTS_MAX)
        await load_open_lots(list(concerned.values()), needed=everything, now=now)
        closed = {one.member_id for one in about}
        heirs.came = await came_from(concerned.keys(), by=closed)
    return heirs
