"""All members with what they hold, as they would be brought to another system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import ledger, members, tiers
from domain.custody.bringing import Newcomer, OpeningLot
from domain.ledger import Holdings
from domain.storage import snapshot

MEMBERS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMember:
    """A member as one would bring them, and what they owe: debts are not brought."""

    newcomer: Newcomer
    debt: int


async def list_members(
    take: Callable[[], Callable[[Sequence[ListedMember]], None]], *, now: datetime
) -> None:
    """Tell of all members as of one moment, some hundreds at a time, in the order of their ids.

    `take` is called when the telling begins, and once more if it has to begin anew, and returns who
    is told. Nothing is locked; memory does not grow with the number of members.
    """

    async def work() -> None:
        tell = take()
        after: UUID | None = None
        while True:
            page = await members.list_members(after=after, limit=MEMBERS_AT_ONCE)
            tell(await _listed(page.members, now=now))
            if page.last is None:
                return
            after = page.last

    await snapshot(work)


async def _listed(found: dict[UUID, members.BroughtMember], *, now: datetime) -> list[ListedMember]:
    holdings = await ledger.holdings(list(found), now=now)
    levels = await tiers.held_levels(list(found))
    listed = []
    for member_id, member in found.items():
        held = holdings.get(member_id, Holdings())
        level = levels.get(member_id)
        newcomer = Newcomer(
            member=member,
            lots=tuple(
                OpeningLot(
                    points=lot.points,
                    expires_at=lot.expires_at,
                    earned_at=lot.earned_at,
                    matures_at=lot.matures_at,
                )
                for lot in held.lots
            ),
            level=level.code if level else None,
            level_since=level.since if level else None,
            level_keep_until=level.keep_until if level else None,
        )
        listed.append(ListedMember(newcomer=newcomer, debt=held.debt))
    return listed
