"""Random histories of two accounts on real databases, compared with a model after every step."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain import storage
from domain.errors import IdempotencyConflict, InsufficientPoints
from domain.ledger import (
    NEVER,
    AfterDays,
    AfterMonths,
    Balance,
    Command,
    Earn,
    EndOfYear,
    ExpiryPolicy,
    Key,
    Outcome,
    Posted,
    Redeem,
    Source,
    Violation,
    balance,
    expires_at,
    post,
    verify_account,
)
from domain.ledger.reading import EXPIRING_SOON
from tests.properties.model import Account

SHANGHAI = ZoneInfo("Asia/Shanghai")
RUNS, STEPS = (2_000, 50) if os.environ.get("JIFEN_SOAK") else (100, 15)
POINTS = st.one_of(st.integers(1, 200), st.sampled_from([1, 100, 2_000]))
POLICIES: st.SearchStrategy[ExpiryPolicy | None] = st.sampled_from(
    [AfterDays(1), AfterDays(5), AfterDays(40), AfterMonths(1), EndOfYear(), None]
)
HOURS = st.sampled_from([0, 1, 7, 24, 24 * 6, 24 * 40])
LEAP_YEARS_EVE = datetime(2027, 12, 30, 14, tzinfo=UTC)


class Histories(RuleBasedStateMachine):
    """Earn at once or later, spend, post again, let time pass: two members, one clock."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    numbers = count(1)
    steps = 0
    effects = 0

    def __init__(self) -> None:
        super().__init__()
        self.members = [UUID(int=next(self.numbers)) for _ in range(2)]
        self.accounts = {member: Account() for member in self.members}
        self.now = LEAP_YEARS_EVE
        self.posted: list[tuple[Command, Posted]] = []
        self.refused: list[Redeem] = []

    @initialize()
    def both_begin_with_points(self) -> None:
        self._post([self._earning(member, 500, policy=None) for member in self.members])

    @rule(
        who=st.booleans(),
        points=POINTS,
        policy=POLICIES,
        days=st.sampled_from([0, 0, 1, 7, 45]),
        ago=st.sampled_from([0, 0, 0, 3, 60]),
    )
    def earn(
        self, who: bool, points: int, policy: ExpiryPolicy | None, days: int, ago: int
    ) -> None:
        command = self._earning(
            self.members[who], points, policy=policy, ago=timedelta(days=ago), days=days
        )
        self._post([command])

    @rule(who=st.booleans(), points=POINTS)
    def redeem(self, who: bool, points: int) -> None:
        self._post([self._redemption(self.members[who], points)])

    @rule(points=st.lists(st.tuples(st.booleans(), st.booleans(), POINTS), min_size=2, max_size=5))
    def post_a_batch(self, points: list[tuple[bool, bool, int]]) -> None:
        self._post(
            [
                self._earning(self.members[who], amount, policy=AfterDays(1))
                if earning
                else self._redemption(self.members[who], amount)
                for who, earning, amount in points
            ]
        )

    @rule(hours=HOURS, microsecond=st.booleans())
    def let_time_pass(self, hours: int, microsecond: bool) -> None:
        self.now += timedelta(hours=hours, microseconds=microsecond)
        self._check(self.members, posted=False)

    @rule()
    def stand_at_the_next_midnight(self) -> None:
        """Exactly when something may mature or expire."""
        self.now = expires_at(AfterDays(0), earned_at=self.now, zone=SHANGHAI)
        self._check(self.members, posted=False)

    @precondition(lambda self: self.posted)
    @rule(pick=st.integers(0, 2**16))
    def post_again(self, pick: int) -> None:
        command, first = self.posted[pick % len(self.posted)]
        (outcome,) = self._outcomes([command])
        assert outcome == replace(first, replayed=True)
        self._check([command.member_id])

    @precondition(lambda self: self.posted)
    @rule(pick=st.integers(0, 2**16))
    def post_again_with_another_amount(self, pick: int) -> None:
        command, _ = self.posted[pick % len(self.posted)]
        (outcome,) = self._outcomes([replace(command, points=command.points + 1)])
        assert isinstance(outcome, IdempotencyConflict)
        assert outcome.differing == ("points",)
        self._check([command.member_id])

    @precondition(lambda self: self.refused)
    @rule()
    def try_again_what_was_refused(self) -> None:
        self._post([self.refused.pop()])

    def _earning(
        self,
        member: UUID,
        points: int,
        *,
        policy: ExpiryPolicy | None,
        ago: timedelta = timedelta(0),
        days: int = 0,
    ) -> Earn:
        effective = self.now - ago
        return Earn(
            member_id=member,
            points=points,
            source=Source(kind="purchase", reference="r"),
            effective_at=effective,
            matures_at=effective + timedelta(days=days) if days else None,
            expires_at=expires_at(policy, earned_at=effective, zone=SHANGHAI) if policy else NEVER,
            key=self._key(),
        )

    def _redemption(self, member: UUID, points: int) -> Redeem:
        return Redeem(
            member_id=member,
            points=points,
            source=Source(kind="reward", reference="r"),
            key=self._key(),
        )

    def _key(self) -> Key:
        return Key(scope="histories", key=str(next(self.numbers)))

    def _outcomes(self, commands: list[Command]) -> list[Outcome]:
        outcomes: list[Outcome] = self.run(post(commands, now=self.now))
        return outcomes

    def _post(self, commands: list[Command]) -> None:
        """Post, and let the model do the same, one by one."""
        for command, outcome in zip(commands, self._outcomes(commands), strict=True):
            account = self.accounts[command.member_id]
            if isinstance(command, Earn):
                after: int | None = account.earn(
                    command.points,
                    effective=command.effective_at,
                    opens=command.matures_at or command.effective_at,
                    closes=command.expires_at,
                    now=self.now,
                )
                amount = command.points
            else:
                after = account.redeem(command.points, now=self.now)
                amount = -command.points
            if after is None:
                assert isinstance(command, Redeem)
                assert isinstance(outcome, InsufficientPoints)
                assert outcome.available == account.available(self.now) < outcome.requested
                self.refused.append(command)
            else:
                assert isinstance(outcome, Posted)
                assert (outcome.amount, outcome.balance_after) == (amount, after)
                assert not outcome.replayed
                self.posted.append((command, outcome))
                type(self).effects += 1
        self._check({command.member_id for command in commands})

    def _check(self, members: Iterable[UUID], *, posted: bool = True) -> None:
        """What must hold after every step; what is stored cannot change without a posting."""
        type(self).steps += 1
        for member in members:
            shown, violations = self.run(_state(member, now=self.now, verified=posted))
            account = self.accounts[member]
            assert (shown.available, shown.pending, shown.held, shown.debt) == (
                account.available(self.now),
                account.pending(self.now),
                0,
                0,
            )
            assert [(e.expires_at, e.points) for e in shown.expiring_soon] == account.expiring(
                now=self.now, until=self.now + EXPIRING_SOON
            )[:12]
            assert violations == []


async def _state(member: UUID, *, now: datetime, verified: bool) -> tuple[Balance, list[Violation]]:
    return await balance(member, now=now), await verify_account(member) if verified else []


async def _opened(url: str) -> str:
    """Connect; the database's dialect. Histories are about the ledger, not about power cuts."""
    await storage.connect(url)
    if storage.dialect() == "sqlite":
        await storage.execute("PRAGMA synchronous = OFF")
    return storage.dialect()


@pytest.mark.soak
@pytest.mark.timeout(0 if os.environ.get("JIFEN_SOAK") else 120)
def test_random_histories_agree_with_the_model(
    database_url: str, tally: Callable[[str, int, int], None]
) -> None:
    class Machine(Histories):
        pass

    with asyncio.Runner() as runner:
        engine = runner.run(_opened(database_url))
        try:
            Machine.run = staticmethod(runner.run)
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=RUNS,
                    stateful_step_count=STEPS,
                    deadline=None,
                    derandomize=not os.environ.get("JIFEN_SOAK"),
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(storage.close())
    tally(f"steps of ledger histories on {engine}", Machine.steps, RUNS * STEPS // 2)
    tally(f"effects of ledger histories on {engine}", Machine.effects, RUNS * STEPS // 4)
