"""Events are paid for one by one; whoever has nothing left is told them later, and of all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from api.graphql_request import GraphQLRequest
from api.observability.operations import OperationWatch
from api.rates.gateway_rates import GatewayRates
from api.rates.settings import BucketSettings, RateSettings
from api.streaming.operations import EVENTS_AT_ONCE, Line, Operations
from api.stress.places import Places
from api.stress.settings import StressSettings
from domain.access import AccessTokens, KeyRing
from domain.wechat import WeChatClient
from resolvers.context import RequestContext, Services
from schema.building import make_schema
from schema.cost import READS
from schema.fields import Info, computed, object_type, view
from schema.policies import OWNER, PUBLIC
from schema.subscriptions import subscription
from tests.graphql.gateway import StandingClock
from tests.streaming.test_operations import MEMBER, NAMES, NO_DESK, START, Query

EVENTS = 300
FOLLOWERS = 10
STEPS = 20
RESTORED_PER_S = 10

FOLLOW = "subscription { ticks { number entry } }"
FOLLOW_COST = 1 + 5 + 1 + 5
"""The root, a statement, the tick, a statement."""


@dataclass(slots=True)
class Crowd:
    """How many are at something at the same moment, and how many were at most."""

    now: int = 0
    most: int = 0

    async def pass_through(self) -> None:
        """Be there for a few turns of the loop."""
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(STEPS):
            await asyncio.sleep(0)
        self.now -= 1


CROWD = Crowd()


@object_type(policy=PUBLIC)
class Tick:
    """A tick."""

    @computed(PUBLIC)
    def number(self) -> int:
        """Which one."""
        number: int = view(self)
        return number

    @computed(PUBLIC, cost=READS)
    async def entry(self) -> int:
        """What takes a statement."""
        number: int = view(self)
        return number

    @computed(PUBLIC)
    async def crowded(self) -> int:
        """What takes a while."""
        await CROWD.pass_through()
        return 1


async def ticks(info: Info) -> AsyncGenerator[Tick, None]:
    """Many ticks."""
    for number in range(EVENTS):
        tick: Tick = view(number)
        yield tick


@object_type()
class Subscription:
    """What can be followed."""

    ticks = subscription(OWNER, ticks)


SCHEMA = make_schema(query=Query, subscription=Subscription)


@dataclass(slots=True)
class Follower:
    """Follows with a bucket of its own and a time that passes only where somebody sleeps."""

    services: Services
    capacity: int
    clock: StandingClock = field(default_factory=lambda: StandingClock(START))
    slept: list[float] = field(default_factory=list)
    rates: GatewayRates = field(init=False)
    operations: Operations = field(init=False)

    def __post_init__(self) -> None:
        bucket = BucketSettings(capacity=self.capacity, restored_per_minute=60 * RESTORED_PER_S)
        self.rates = GatewayRates(RateSettings(member=bucket))
        self.operations = Operations(SCHEMA, StressSettings(), NO_DESK, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.clock.advance(seconds=seconds)

    def context(self) -> RequestContext:
        """A request of the member's."""
        services = Services(
            wechat=self.services.wechat, tokens=self.services.tokens, rates=self.rates
        )
        return RequestContext(
            caller=MEMBER,
            now=START,
            language="en",
            request_id="r-1",
            services=services,
            clock=self.clock,
        )

    async def left(self) -> int:
        """What the member has left."""
        charge = await self.rates.charge(self.context().rate_key, 0, now=self.clock.now())
        return charge.left

    async def follow(self, query: str) -> list[ExecutionResult]:
        """Every event."""
        watch = OperationWatch(NAMES, 1)
        line = Line("sse", places=Places(StressSettings()), watch=watch, room=nullcontext)
        asked = GraphQLRequest(query=query)
        async with aclosing(self.operations.results(asked, self.context(), line)) as results:
            return [result async for result in results]


@pytest.fixture
async def services(tmp_path: Path, redis: Any) -> AsyncIterator[Services]:
    keys = KeyRing(tmp_path / "keys.json", now=START, create_missing=True)
    wechat = WeChatClient(apps={}, redis=redis)
    yield Services(wechat=wechat, tokens=AccessTokens(keys, "https://jifen.example"))
    await wechat.aclose()


async def test_each_event_costs_what_its_operation_does(services: Services) -> None:
    follower = Follower(services, capacity=10_000)
    results = await follower.follow(FOLLOW)
    assert [one.errors for one in results] == [None] * EVENTS
    assert await follower.left() == 10_000 - FOLLOW_COST - EVENTS * FOLLOW_COST
    assert follower.slept == []


async def test_who_has_nothing_left_is_told_the_rest_when_there_is_more(
    services: Services,
) -> None:
    follower = Follower(services, capacity=100)
    results = await follower.follow(FOLLOW)
    assert [one.data for one in results] == [
        {"ticks": {"number": number, "entry": number}} for number in range(EVENTS)
    ]
    # It begins with 100, is never full again, and waits no longer than it has to.
    taken = FOLLOW_COST + EVENTS * FOLLOW_COST
    assert await follower.left() == 100 + RESTORED_PER_S * sum(follower.slept) - taken
    assert set(follower.slept) == {1, 2}
    assert sum(follower.slept) == -(-(taken - 100) // RESTORED_PER_S)


async def test_only_so_many_events_are_executed_at_once(services: Services) -> None:
    follower = Follower(services, capacity=1_000_000)
    query = "subscription { ticks { crowded } }"
    answers = await asyncio.gather(*(follower.follow(query) for _ in range(FOLLOWERS)))
    assert [len(one) for one in answers] == [EVENTS] * FOLLOWERS
    assert (CROWD.most, EVENTS_AT_ONCE) == (4, 4)
