"""What may be done to a ticket, and what becomes of it: pure decisions, one table.

OPEN                waits for us
WAITING_FOR_MEMBER  we asked something: the clock of the service level stands still
ANSWERED            we answered, and the member has not said more
RESOLVED            we say that it is done; a reply within REOPENED_WITHIN opens it again
CLOSED              nobody said more: it is over
MERGED              it is told on in another ticket of the same member
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.feedback.sla import Pause

TEXT_CHARACTERS_MAX: Final = 10_000
RATING_TEXT_CHARACTERS_MAX: Final = 2_000
RATING_MIN: Final = 1
RATING_MAX: Final = 5
NO_DEADLINE: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""When a ticket is due of which nothing is promised, or nothing any more."""

REOPENED_WITHIN: Final = timedelta(days=7)
"""For so long after its end a resolved ticket is opened again by a reply; then it closes."""


class TicketChannel(StrEnum):
    """How it reached us."""

    MINI_PROGRAM = "MINI_PROGRAM"
    """From the mini-program."""
    APP = "APP"
    """From an app."""
    PHONE = "PHONE"
    """By telephone: staff wrote it down."""
    EMAIL = "EMAIL"
    """By e-mail."""
    SHOP = "SHOP"
    """In a shop: staff wrote it down."""


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    OPEN = "OPEN"
    """It waits for us."""
    WAITING_FOR_MEMBER = "WAITING_FOR_MEMBER"
    """We asked the member something; the time that we have stands still."""
    ANSWERED = "ANSWERED"
    """We answered, and the member has not said more."""
    RESOLVED = "RESOLVED"
    """We say that it is done; a reply opens it again, for a while."""
    CLOSED = "CLOSED"
    """It is over."""
    MERGED = "MERGED"
    """It is told on in another ticket of the same member."""


class Author(StrEnum):
    """Who said or did something."""

    MEMBER = "MEMBER"
    """The member."""
    STAFF = "STAFF"
    """A member of staff."""
    SYSTEM = "SYSTEM"
    """Nobody: it came by itself."""


class TextCheck(StrEnum):
    """What became of the check of a text."""

    WAITING = "WAITING"
    """It is yet to be checked."""
    CLEAR = "CLEAR"
    """Nothing is wrong with it."""
    REVIEW = "REVIEW"
    """Staff has to look at it: it is doubtful, or the check did not know its author any more."""
    RISKY = "RISKY"
    """It was found risky; staff may look at it."""
    NOT_CHECKED = "NOT_CHECKED"
    """Nobody checks it: of staff, or of a member whom no mini-program knows."""
    REFUSED = "REFUSED"
    """Staff refused it."""


HELD: Final = frozenset({TextCheck.WAITING, TextCheck.REVIEW, TextCheck.RISKY, TextCheck.REFUSED})
"""Such a text is covered for everybody but who wrote it."""


class Act(StrEnum):
    """What is done to a ticket; the kind of its event."""

    SUBMITTED = "SUBMITTED"
    REPLIED = "REPLIED"
    ANSWERED = "ANSWERED"
    ASKED = "ASKED"
    RESOLVED = "RESOLVED"
    REOPENED = "REOPENED"
    CLOSED = "CLOSED"
    MERGED = "MERGED"
    RATED = "RATED"
    ASSIGNED = "ASSIGNED"
    NOTED = "NOTED"
    TOOK_OVER = "TOOK_OVER"
    OPENED_BY_MERGE = "OPENED_BY_MERGE"
    PARTED = "PARTED"
    ANSWER_MISSED = "ANSWER_MISSED"
    RESOLVE_MISSED = "RESOLVE_MISSED"


OPEN_STATES: Final = (TicketStatus.OPEN, TicketStatus.WAITING_FOR_MEMBER, TicketStatus.ANSWERED)
"""Of what is not done yet."""

STANDING_STILL: Final = frozenset(
    {TicketStatus.WAITING_FOR_MEMBER, TicketStatus.RESOLVED, TicketStatus.MERGED}
)
"""While a ticket stands so, the clock of its service level does not run."""

OVER: Final = frozenset({TicketStatus.CLOSED, TicketStatus.MERGED})
"""Nothing becomes of these any more, but of one that was merged into what is somebody else's."""

_OF_STAFF: Final = {
    Act.ANSWERED: TicketStatus.ANSWERED,
    Act.ASKED: TicketStatus.WAITING_FOR_MEMBER,
    Act.RESOLVED: TicketStatus.RESOLVED,
    Act.MERGED: TicketStatus.MERGED,
}
_WHILE_OPEN: Final = {Act.REPLIED: TicketStatus.OPEN, **_OF_STAFF}
_NOT_OURS: Final = {**_WHILE_OPEN, Act.OPENED_BY_MERGE: TicketStatus.OPEN}

_BECOMES: Final[Mapping[TicketStatus, Mapping[Act, TicketStatus]]] = {
    TicketStatus.OPEN: _WHILE_OPEN,
    # What waits for us is told on in it: so it waits for us, too.
    TicketStatus.WAITING_FOR_MEMBER: _NOT_OURS,
    TicketStatus.ANSWERED: _NOT_OURS,
    TicketStatus.RESOLVED: {
        **_OF_STAFF,
        # A word after the end leaves it done; a question is asked of who has it opened again.
        Act.ANSWERED: TicketStatus.RESOLVED,
        Act.REPLIED: TicketStatus.OPEN,
        Act.REOPENED: TicketStatus.OPEN,
        Act.OPENED_BY_MERGE: TicketStatus.OPEN,
        Act.CLOSED: TicketStatus.CLOSED,
    },
    TicketStatus.CLOSED: {},
    # The ticket in which it was told on turned out to be somebody else's.
    TicketStatus.MERGED: {Act.PARTED: TicketStatus.OPEN},
}

_LEAVES: Final = frozenset({Act.RATED, Act.ASSIGNED, Act.NOTED, Act.TOOK_OVER})
"""These change no status, and are possible until it is over."""


def becomes(status: TicketStatus, act: Act) -> TicketStatus | None:
    """Where a ticket stands after the act; None where it cannot be done to it."""
    if act in _LEAVES:
        return None if status in OVER else status
    return _BECOMES[status].get(act)


def pauses_of(steps: Iterable[tuple[datetime, TicketStatus]]) -> Sequence[Pause]:
    """When the clock of a ticket stood still that came to stand so at these moments, in order."""
    pauses: list[Pause] = []
    since: datetime | None = None
    for at, status in steps:
        if status in STANDING_STILL:
            since = since or at
        elif since is not None:
            pauses.append(Pause(since=since, until=at))
            since = None
    if since is not None:
        pauses.append(Pause(since=since))
    return pauses


def due_next(*deadlines: datetime | None) -> datetime:
    """The first of the deadlines that are open still; NO_DEADLINE where there is none."""
    return min((one for one in deadlines if one is not None), default=NO_DEADLINE)
