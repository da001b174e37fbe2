"""The points ledger, read by its member."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from domain import ledger
from domain.ledger import EntryKind, EntryLot, JournalEntry
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.once import Once
from resolvers.owning import own_id


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord(JournalEntry):
    """An entry with those that were read with it: lots, and what is undone, are read together."""

    together: Mapping[int, int | None] = field(default_factory=dict, compare=False)
    once: Once = field(default_factory=Once, compare=False)

    async def lots(self, *, now: datetime) -> Sequence[EntryLot]:
        """The lots that the entry moved."""
        lots = await self.once.read(
            "lots", lambda: ledger.lots_of(self.member_id, self.together, now=now)
        )
        return lots[self.seq]

    async def undone(self) -> EntryRecord | None:
        """The entry that this one undoes."""
        if self.reverses is None:
            return None
        undone = await self.once.read("undone", self._undone)
        return undone.get(self.reverses)

    async def _undone(self) -> Mapping[int, EntryRecord]:
        wanted = {seq for seq in self.together.values() if seq is not None}
        found = await ledger.entries_of(self.member_id, wanted)
        return {one.seq: one for one in records([*found.values()])}


_FIELDS = tuple(one.name for one in fields(JournalEntry))


def records(entries: Collection[JournalEntry]) -> list[EntryRecord]:
    """Entries of one member, which are read together."""
    together, once = {one.seq: one.reverses for one in entries}, Once()
    return [
        EntryRecord(**{name: getattr(one, name) for name in _FIELDS}, together=together, once=once)
        for one in entries
    ]


def record_of(entry: JournalEntry) -> EntryRecord:
    """The entry as a record, alone where it was not read as one."""
    return entry if isinstance(entry, EntryRecord) else records([entry])[0]


async def journal(
    member_id: UUID, page: PageRequest, *, kinds: Collection[EntryKind] | None = None
) -> Page[EntryRecord]:
    """A page of the journal, newest first: of these kinds, or of all."""
    found = await ledger.journal(member_id, page, kinds=kinds or ())
    return Page(items=records(found.items), keys=found.keys, has_next=found.has_next)


async def entry_node(context: RequestContext, key: tuple[UUID, int]) -> EntryRecord | None:
    """The entry with this key, when it is the caller's own."""
    member_id, seq = key
    # The journal of a record that was given up stays as it was.
    if await own_id(context, member_id) is None:
        return None
    found = await ledger.entry(member_id, seq=seq)
    return None if found is None else record_of(found)
