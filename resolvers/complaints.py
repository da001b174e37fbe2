"""What staff counts of tickets, and the tickets that are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain import feedback
from domain.feedback import (
    Bucket,
    Cause,
    Counted,
    CountedBy,
    Figures,
    Group,
    OfPerson,
    Topic,
    TrendStep,
)
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.once import Once
from resolvers.tickets import StaffTicketRecord, staff_records


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedGroup(Group):
    """A group with the topic or the cause whose code it has."""

    named: Topic | Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintsRecord:
    """The tickets that are counted; each question is asked once for all who ask the same."""

    counted: Counted
    once: Once = field(default_factory=Once, compare=False)

    async def figures(self) -> Figures:
        """What all of them came to."""
        return await self.once.read("figures", lambda: feedback.complaints(self.counted))

    async def by(self, by: CountedBy, *, first: int) -> Sequence[NamedGroup]:
        """The same told apart."""
        groups = await feedback.complaints_by(self.counted, by, groups_max=first)
        names = await _names(by)
        return [
            NamedGroup(code=one.code, figures=one.figures, named=names.get(one.code or ""))
            for one in groups
        ]

    async def by_person(self, *, first: int) -> Sequence[OfPerson]:
        """The same told apart by who has them in hand."""
        return await feedback.complaints_by_person(self.counted, groups_max=first)

    async def trend(self, step: TrendStep) -> Sequence[Bucket]:
        """The same told apart by when they were filed."""
        return await feedback.complaints_over_time(self.counted, step)


async def _names(by: CountedBy) -> Mapping[str, Topic | Cause]:
    if by is CountedBy.TOPIC:
        return {one.code: one for one in await feedback.topics(all_of_them=True)}
    if by is CountedBy.CAUSE:
        return {one.code: one for one in await feedback.causes(all_of_them=True)}
    return {}


async def complaints(context: RequestContext, counted: Counted) -> ComplaintsRecord:
    """The tickets that are counted; the look is recorded."""
    await feedback.look_at_complaints(counted, by=context.actor(), now=context.now)
    return ComplaintsRecord(counted=counted)


async def tickets(
    context: RequestContext, counted: Counted, page: PageRequest, *, login: str | None
) -> Page[StaffTicketRecord]:
    """A page of them, in the order in which they were filed; the look is recorded."""
    found = await feedback.complaint_tickets(
        counted, page, login=login, by=context.actor(), now=context.now
    )
    return Page(items=staff_records(found.items), keys=found.keys, has_next=found.has_next)
