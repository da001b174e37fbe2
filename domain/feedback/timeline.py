"""What the events of this context come to in a member's timeline: never what somebody wrote."""

from __future__ import annotations

from typing import Final

from domain.feedback.rules import Act
from domain.members import Telling, Told
from domain.outbox import Announced

_TOLD: Final = frozenset(
    {
        *(Act.SUBMITTED, Act.ANSWERED, Act.ASKED, Act.RESOLVED),
        *(Act.REOPENED, Act.OPENED_BY_MERGE, Act.ANSWER_MISSED, Act.RESOLVE_MISSED),
    }
)
_CALLED: Final = {Act.OPENED_BY_MERGE: Act.REOPENED}
"""To the member it is the same."""

_NAMES: Final = ("ticket", "number", "kind", "topic")


def _ticket(event: Announced) -> Told | None:
    act = Act(event.facts["act"])
    if act not in _TOLD:
        return None
    return Told(
        kind=f"TICKET_{_CALLED.get(act, act).value}",
        facts={name: event.facts[name] for name in _NAMES},
        channel=event.facts["channel"] if act is Act.SUBMITTED else None,
    )


TIMELINE: Final[Telling] = {"TicketUpdated": _ticket}
