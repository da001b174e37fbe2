"""What the benchmarks post."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from benchmarks.ledger.accounts import CHECKOUT
from benchmarks.ledger.scripts import member_id
from domain import ledger
from domain.ledger import NEVER, Command, Earn, HoldPoints, Key, Redeem, Source
from domain.members import ById


def batch_of(number: int, *, size: int, members: int) -> list[Command]:
    """Of each five postings four earn and one redeems, each by another member."""
    now = datetime.now(UTC)
    commands: list[Command] = []
    for place in range(size):
        name = f"batch-{number}-{place}"
        member = member_id(2 + (number * size + place) % (members - 2))
        redeems = place % 5 == 4
        commands.append(_redeem(member, name) if redeems else _earn(member, name, now=now))
    return commands


async def earn_once(member: UUID, name: str) -> object:
    """One earning in a transaction of its own."""
    now = datetime.now(UTC)
    return await ledger.post_one(_earn(member, name, now=now), now=now)


async def redeem_once(member: UUID, name: str) -> object:
    """One redemption."""
    return await ledger.post_one(_redeem(member, name), now=datetime.now(UTC))


async def hold_once(member: UUID, name: str) -> object:
    """What the mutation `holdPoints` does."""
    command = HoldPoints(
        owner=CHECKOUT, member=ById(member), points=2, reference=name, idempotency_key=name
    )
    return await ledger.hold_points(command, now=datetime.now(UTC))


def _earn(member: UUID, name: str, *, now: datetime) -> Earn:
    return Earn(
        member_id=member,
        points=7,
        source=Source(kind="purchase", reference=name),
        effective_at=now,
        expires_at=NEVER,
        key=Key(scope="benchmark", key=name),
    )


def _redeem(member: UUID, name: str) -> Redeem:
    return Redeem(
        member_id=member,
        points=1,
        source=Source(kind="reward", reference=name),
        key=Key(scope="benchmark", key=name),
    )
