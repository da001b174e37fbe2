"""What staff counts of complaints and other tickets: how many, how fast, how members found it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import strawberry

from domain import feedback
from domain.errors import InvalidInput
from domain.feedback import BUCKETS_MAX, COMPLAINTS, Counted, CountedBy, Figures, Period, TrendStep
from resolvers import complaints as resolvers
from resolvers.complaints import ComplaintsRecord, NamedGroup
from schema.audits import audited
from schema.connections import After, Connection, First, KeysetList, checked_first
from schema.cost import READS, STATEMENT_COST, Cost
from schema.faults import CodedError, FaultCode
from schema.feedback_kinds import FeedbackKind
from schema.fields import Info, argument, computed, enum_type, object_type, view
from schema.language import spoken
from schema.service_levels import SEES_SERVICE
from schema.staff_tickets import Assignee, StaffTicket
from schema.ticket_parts import SERVES

COUNTED_TICKETS: Final = KeysetList("counted-tickets", (datetime, UUID))
GROUPS: Final = Cost(own=STATEMENT_COST, items="first")
TREND: Final = Cost(own=STATEMENT_COST, items=BUCKETS_MAX)

enum_type(CountedBy, name="ComplaintsBy")
enum_type(TrendStep)

FROM: Final = strawberry.argument(
    name="from", description="The first day, in the programme's time zone."
)

Kinds: TypeAlias = Annotated[
    list[FeedbackKind] | None, argument("Of these kinds; complaints and losses without.")
]


@object_type(policy=SEES_SERVICE)
class ComplaintFigures:
    """What tickets came to, as they stand now. Minutes are those of the opening hours in which it
    was our turn: pauses do not count."""

    tickets: int
    """How many there are; one that was merged into another does not count beside it."""

    unresolved: int
    """How many are not done yet."""

    reopened: int
    """How many were opened again at least once."""

    @computed(SEES_SERVICE)
    def answered(self) -> int:
        """How many were answered."""
        return _figures(self).answers.done

    @computed(SEES_SERVICE)
    def answers_in_time(self) -> int:
        """How many of these by the deadline that was promised."""
        return _figures(self).answers.kept

    @computed(SEES_SERVICE)
    def answers_missed(self) -> int:
        """How many were not answered by the deadline, answered later or not."""
        return _figures(self).answers.missed

    @computed(SEES_SERVICE)
    def answers_in_time_share(self) -> float | None:
        """How much of what was promised about answers was kept, 0 to 1; null where nothing was."""
        return _figures(self).answers.share

    @computed(SEES_SERVICE)
    def answer_minutes_mean(self) -> float | None:
        """How long the first answer took on average; null where there is none."""
        return _figures(self).answers.minutes_mean

    @computed(SEES_SERVICE)
    def answer_minutes_median(self) -> float | None:
        """How long it took in the middle of all; null where there is none."""
        return _figures(self).answers.minutes_median

    @computed(SEES_SERVICE)
    def resolved(self) -> int:
        """How many were resolved and not opened again since."""
        return _figures(self).resolutions.done

    @computed(SEES_SERVICE)
    def resolutions_in_time(self) -> int:
        """How many of these by the deadline that was promised."""
        return _figures(self).resolutions.kept

    @computed(SEES_SERVICE)
    def resolutions_missed(self) -> int:
        """How many were not resolved by the deadline, resolved later or not."""
        return _figures(self).resolutions.missed

    @computed(SEES_SERVICE)
    def resolutions_in_time_share(self) -> float | None:
        """How much of what was promised about resolving was kept, 0 to 1; null where nothing
        was."""
        return _figures(self).resolutions.share

    @computed(SEES_SERVICE)
    def resolve_minutes_mean(self) -> float | None:
        """How long resolving took on average; null where nothing is resolved."""
        return _figures(self).resolutions.minutes_mean

    @computed(SEES_SERVICE)
    def resolve_minutes_median(self) -> float | None:
        """How long it took in the middle of all; null where nothing is resolved."""
        return _figures(self).resolutions.minutes_median

    @computed(SEES_SERVICE)
    def experience_mean(self) -> float | None:
        """How it was for members, 1 to 5, on average; null where nobody said."""
        return _figures(self).experience.mean

    @computed(SEES_SERVICE)
    def experience_counts(self) -> list[int]:
        """How many said 1, 2, 3, 4, 5 of how it was."""
        return list(_figures(self).experience.counts)

    @computed(SEES_SERVICE)
    def expectation_mean(self) -> float | None:
        """What members had expected, 1 to 5, on average; null where nobody said."""
        return _figures(self).expectation.mean

    @computed(SEES_SERVICE)
    def expectation_counts(self) -> list[int]:
        """How many had expected 1, 2, 3, 4, 5."""
        return list(_figures(self).expectation.counts)


@object_type(policy=SEES_SERVICE)
class ComplaintGroup:
    """The tickets that have something in common."""

    code: str | None
    """What they have in common: a shop, or a code; null for those of which it is not known."""

    figures: ComplaintFigures
    """What they came to."""

    @computed(SEES_SERVICE)
    def name(self, info: Info) -> str | None:
        """What people call a topic or a cause; null for all else."""
        group: NamedGroup = view(self)
        return None if group.named is None else spoken(group.named, "name", info)


@object_type(policy=SERVES)
class ComplaintsOfPerson:
    """The tickets that a member of staff has in hand."""

    person: Assignee | None
    """Who; null for those that nobody has."""

    figures: ComplaintFigures
    """What they came to."""


@object_type(policy=SEES_SERVICE)
class ComplaintBucket:
    """The tickets that were filed in a part of the period."""

    figures: ComplaintFigures
    """What they came to; all is 0 where there are none."""

    @computed(SEES_SERVICE)
    def first(self) -> date:
        """Its first day, in the programme's time zone."""
        bucket: feedback.Bucket = view(self)
        return bucket.period.first

    @computed(SEES_SERVICE)
    def last(self) -> date:
        """Its last day."""
        bucket: feedback.Bucket = view(self)
        return bucket.period.last


@object_type(policy=SEES_SERVICE)
class Complaints:
    """Tickets that were filed in a period, counted. Nothing here tells whose they are but
    `tickets`."""

    @computed(SEES_SERVICE, cost=READS)
    async def figures(self) -> ComplaintFigures | None:
        """What all of them came to."""
        figures: ComplaintFigures = view(await _complaints(self).figures())
        return figures

    @computed(SEES_SERVICE, cost=GROUPS)
    async def groups(
        self, by: Annotated[CountedBy, argument("Told apart by what.")], first: First = 20
    ) -> list[ComplaintGroup] | None:
        """The same told apart, the most tickets first."""
        found = await _complaints(self).by(by, first=checked_first(first))
        groups: list[ComplaintGroup] = view(found)
        return groups

    @computed(SERVES, cost=GROUPS)
    async def by_person(self, first: First = 20) -> list[ComplaintsOfPerson] | None:
        """The same told apart by who of staff has them in hand, the most tickets first."""
        found = await _complaints(self).by_person(first=checked_first(first))
        people: list[ComplaintsOfPerson] = view(found)
        return people

    @computed(SEES_SERVICE, cost=TREND)
    async def trend(
        self, step: Annotated[TrendStep, argument("How long a bucket is.")]
    ) -> list[ComplaintBucket] | None:
        """The same told apart by when they were filed, from the first bucket to the last."""
        try:
            buckets: list[ComplaintBucket] = view(await _complaints(self).trend(step))
        except InvalidInput as refused:
            raise _not_so(refused) from None
        return buckets

    @audited(SERVES)
    async def tickets(
        self,
        info: Info,
        assignee: Annotated[
            str | None, argument("Only those that this member of staff has in hand, by login.")
        ] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[StaffTicket] | None:
        """Those that are counted, in the order in which they were filed; each look is recorded."""
        request = COUNTED_TICKETS.request(first=first, after=after)
        counted = _complaints(self).counted
        page = await resolvers.tickets(info.context, counted, request, login=assignee)
        return COUNTED_TICKETS.connection(page, request)


@object_type(policy=SEES_SERVICE)
class ComplaintMonitoring:
    """What staff counts; a part of `Staff`."""

    @audited(SEES_SERVICE)
    async def complaints(
        self,
        info: Info,
        *,
        from_: Annotated[date, FROM],
        to: Annotated[date, argument("The last day, at most 366 days with the first.")],
        kinds: Kinds = None,
        shop: Annotated[str | None, argument("Only about this shop.")] = None,
        topic: Annotated[str | None, argument("Only of this topic, by its code.")] = None,
        cause: Annotated[str | None, argument("Only from this cause, by its code.")] = None,
        level: Annotated[str | None, argument("Only of members who had this level.")] = None,
    ) -> Complaints | None:
        """Tickets that were filed in these days, counted; each look is in the audit log."""
        try:
            period = Period(from_, to)
        except InvalidInput as refused:
            raise _not_so(refused) from None
        counted = Counted(
            period=period,
            kinds=COMPLAINTS if kinds is None else tuple(dict.fromkeys(kinds)),
            shop=shop,
            topic=topic,
            cause=cause,
            level=level,
        )
        found: Complaints = view(await resolvers.complaints(info.context, counted))
        return found


def _not_so(refused: InvalidInput) -> CodedError:
    assert refused.field is not None, "it names the argument"
    name = refused.field[0]
    message = f"`{name}` must be {refused.rule}."
    return CodedError(FaultCode.BAD_USER_INPUT, message, argument=name)


def _complaints(value: object) -> ComplaintsRecord:
    record: ComplaintsRecord = view(value)
    return record


def _figures(value: object) -> Figures:
    figures: Figures = view(value)
    return figures
