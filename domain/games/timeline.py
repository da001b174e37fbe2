"""What the events of this context come to in a member's timeline.

What is won is told by the points that came of it; here is whom the member allowed to reward them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.members import Telling, Told
from domain.outbox import Announced


def _telling(kind: str) -> Callable[[Announced], Told]:
    def tell(event: Announced) -> Told:
        names = ("partner", "title_zh", "title_en")
        return Told(kind=kind, facts={name: event.facts[name] for name in names})

    return tell


TIMELINE: Final[Telling] = {
    "MemberBound": _telling("GAME_BOUND"),
    "MemberUnbound": _telling("GAME_UNBOUND"),
}
