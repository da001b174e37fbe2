"""The figures of tickets as a reader of every ticket counts them, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from statistics import fmean, median
from typing import Any
from uuid import UUID

from domain import feedback
from domain.feedback import Figures, Kept, Pause, Rated, Ticket, TicketStatus
from domain.feedback.sla import working_minutes
from tests.domain.feedback.service import SHOP


def kept(tickets: Sequence[Ticket], name: str, took: Sequence[int]) -> Kept:
    """One promise of the tickets, told by reading each."""

    def moments(one: Ticket) -> tuple[datetime | None, datetime | None]:
        if name == "answer":
            return one.sla.answered_at, one.sla.answer_by
        return one.sla.resolved_at, one.sla.resolve_by

    def missed(one: Ticket) -> bool:
        at, by = moments(one)
        late = at is not None and by is not None and at > by
        return late or bool(getattr(one.sla, f"{name}_breached"))

    return Kept(
        done=sum(moments(one)[0] is not None for one in tickets),
        kept=sum(None not in moments(one) and not missed(one) for one in tickets),
        missed=sum(missed(one) for one in tickets),
        minutes_mean=fmean(took) if took else None,
        minutes_median=float(median(took)) if took else None,
    )


def rated(given: Iterable[int | None]) -> Rated:
    found = list(given)
    one, two, three, four, five = (found.count(rating) for rating in range(1, 6))
    return Rated(counts=(one, two, three, four, five))


class Model:
    """Tickets as they were made: their shops and levels, and when their clocks stood still."""

    def __init__(self) -> None:
        self.shops: dict[UUID, str] = {}
        self.levels: dict[UUID, str] = {}
        self.pauses: dict[UUID, list[Pause]] = {}

    def stands_still(self, ticket: Ticket, at: datetime) -> None:
        pauses = self.pauses.setdefault(ticket.id, [])
        if not pauses or pauses[-1].until is not None:
            pauses.append(Pause(since=at))

    def runs(self, ticket: Ticket, at: datetime) -> None:
        pauses = self.pauses.get(ticket.id, [])
        if pauses and pauses[-1].until is None:
            pauses[-1] = Pause(since=pauses[-1].since, until=at)

    def took(self, tickets: Sequence[Ticket], name: str) -> list[int]:
        done = [(one, getattr(one.sla, name)) for one in tickets]
        return [
            working_minutes(SHOP.hours, one.submitted_at, at, pauses=self.pauses.get(one.id, []))
            for one, at in done
            if at is not None
        ]

    def figures(self, tickets: Iterable[Ticket]) -> Figures:
        counted = [one for one in tickets if one.status is not TicketStatus.MERGED]
        said = [one.satisfaction for one in counted]
        return Figures(
            tickets=len(counted),
            unresolved=sum(one.status in feedback.OPEN_STATES for one in counted),
            reopened=sum(one.reopened > 0 for one in counted),
            answers=kept(counted, "answer", self.took(counted, "answered_at")),
            resolutions=kept(counted, "resolve", self.took(counted, "resolved_at")),
            experience=rated(one.experience if one else None for one in said),
            expectation=rated(one.expectation if one else None for one in said),
        )

    def told_apart(
        self, tickets: Iterable[Ticket], by: Callable[[Ticket], Any]
    ) -> dict[Any, Figures]:
        counted = [one for one in tickets if one.status is not TicketStatus.MERGED]
        cells = {by(one) for one in counted}
        return {cell: self.figures(one for one in counted if by(one) == cell) for cell in cells}
