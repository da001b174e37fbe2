"""Members who qualify and are evaluated, as tests of levels through time use them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.members import ByExternalReference, ById, register_external_members
from domain.paging import PageRequest
from domain.storage import transaction
from domain.tiers import (
    GrantLevel,
    LevelWalk,
    Qualifying,
    disqualify,
    evaluate_levels,
    grant_level,
    level_codes,
    level_history,
    qualify,
    settle_due_levels,
    standing,
)
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import NOW, SHANGHAI


async def joined(*references: str) -> list[UUID]:
    """New members, in the order of their references."""
    refs = [ByExternalReference(reference) for reference in references]
    found = await register_external_members(refs, now=NOW)
    return [found[reference] for reference in references]


def local(text: str, *, zone: ZoneInfo = SHANGHAI) -> datetime:
    """A moment of the programme: `2026-03-01`, its midnight, or `2026-03-01 12:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def item(
    member_id: UUID, points: int, *, at: datetime, amount_fen: int = 0, purchases: int = 1
) -> Qualifying:
    return Qualifying(
        member_id=member_id,
        points=points,
        purchases=purchases,
        amount_fen=amount_fen,
        occurred_at=at,
        source_kind="purchase",
    )


async def bought(
    member_id: UUID,
    points: int,
    *,
    at: datetime,
    amount_fen: int = 0,
    now: datetime | None = None,
    zone: ZoneInfo = SHANGHAI,
) -> None:
    """A purchase at a moment, known to us then or at `now`."""
    items = [item(member_id, points, at=at, amount_fen=amount_fen)]
    await transaction(lambda: qualify(items, zone=zone, now=now or at))


async def refunded(member_id: UUID, points: int, *, at: datetime, now: datetime) -> None:
    """What was bought `at` a moment is refunded `now`, wholly."""
    items = [item(member_id, points, at=at)]
    await transaction(lambda: disqualify(items, zone=SHANGHAI, now=now))


async def settled(now: datetime, *, zone: ZoneInfo = SHANGHAI) -> int:
    """Review who is due; how many there were."""
    found = await settle_due_levels(now=now, zone=zone)
    assert found.done
    assert not found.unsound
    return found.members


async def evaluated(now: datetime, *, name: str = "test") -> tuple[int, int]:
    """A walk over everybody: members looked at, and changed."""
    found = await evaluate_levels(LevelWalk(name=name), now=now, zone=SHANGHAI)
    assert found.done
    assert not found.unsound
    return found.members, found.changed


async def codes(*members: UUID) -> Sequence[str]:
    """The levels of members."""
    return list((await level_codes(members)).values())


async def kept_until(member_id: UUID, *, now: datetime = NOW) -> datetime | None:
    """Until when the member's level holds."""
    found = await standing(member_id, zone=SHANGHAI, now=now)
    assert found is not None
    return found.keep_until


async def history(member_id: UUID) -> list[tuple[str | None, str, str, datetime]]:
    """From, to, why and when, oldest first."""
    page = await level_history(member_id, PageRequest(first=50))
    return [
        (
            change.from_level.code if change.from_level else None,
            change.to_level.code,
            change.reason,
            change.occurred_at,
        )
        for change in reversed(page.items)
    ]


async def granted(member_id: UUID, level: str, *, until: datetime) -> None:
    """Staff grants a level."""
    grant = GrantLevel(member=ById(member_id), level=level, reason="kind", until=until)
    await grant_level(grant, by=OPERATOR, now=NOW)
