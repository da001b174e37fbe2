"""Events of a subscription: each executed anew, with the checks and faults of any operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from strawberry.types import ExecutionResult

from api.graphql_request import GraphQLRequest
from api.limits import document_limits
from api.observability.names import OperationNames
from api.observability.operations import OperationWatch
from api.persisted.finding import DocumentDesk
from api.persisted.manifest import TrustedDocuments
from api.persisted.settings import DocumentSettings
from api.settings import LimitSettings
from api.streaming.operations import Line, Operations
from api.stress.places import Places
from api.stress.settings import StressSettings
from api.transport import TransportFault
from domain.access import AccessTokens, Caller, CallerKind, KeyRing, StaffRole
from domain.clock import Clock
from domain.wechat import WeChatClient
from resolvers.context import RequestContext, Services
from schema.building import make_schema
from schema.fields import Info, computed, object_type, view
from schema.policies import OWNER, PUBLIC, staff
from schema.subscriptions import subscription
from tests.schema.sample import MEMBER_A

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@object_type(policy=PUBLIC)
class Tick:
    """A tick."""

    @computed(PUBLIC)
    def number(self) -> int:
        """Which one."""
        number: int = view(self)
        return number

    @computed(PUBLIC)
    def now(self, info: Info) -> datetime:
        """When its fields were asked."""
        return info.context.now

    @computed(PUBLIC)
    async def read(self, info: Info) -> int:
        """What was read once, for this event."""
        number: int = view(self)

        async def ask() -> int:
            return number

        return await info.context.once.read("number", ask)

    @computed(PUBLIC)
    async def slow(self) -> int | None:
        """Never."""
        await asyncio.Event().wait()
        return None

    @computed(PUBLIC)
    def broken(self) -> int | None:
        """Breaks."""
        raise RuntimeError("select secret from vault")

    @computed(staff(StaffRole.AUDITOR))
    def secret(self) -> int | None:
        """Not for members."""
        return 42


class TickingClock(Clock):
    """An hour later each time it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def now(self) -> datetime:
        self.asked += 1
        return START + timedelta(hours=self.asked)


NAMES = OperationNames(10)
NO_DESK = DocumentDesk(TrustedDocuments(), DocumentSettings())


async def ticks(info: Info) -> AsyncGenerator[Tick, None]:
    """Three ticks."""
    for number in (1, 2, 3):
        tick: Tick = view(number)
        yield tick


async def breaking(info: Info) -> AsyncGenerator[Tick, None]:
    """One tick, and then nothing good."""
    tick: Tick = view(1)
    yield tick
    raise RuntimeError("select secret from vault")


@object_type()
class Query:
    """What can be read."""

    @computed(PUBLIC)
    async def slow(self) -> int | None:
        """Never."""
        await asyncio.Event().wait()
        return None


@object_type()
class Subscription:
    """What can be followed."""

    ticks = subscription(OWNER, ticks)
    breaking = subscription(OWNER, breaking)


SCHEMA = make_schema(
    query=Query, subscription=Subscription, limits=document_limits(LimitSettings(depth_max=3))
)

MEMBER = Caller(
    kind=CallerKind.MEMBER,
    subject=MEMBER_A,
    scopes=frozenset(),
    roles=frozenset(),
    session_id=MEMBER_A,
    issued_at=START,
    expires_at=START + timedelta(minutes=15),
)


@pytest.fixture
async def services(tmp_path: Path, redis: Any) -> AsyncIterator[Services]:
    keys = KeyRing(tmp_path / "keys.json", now=START, create_missing=True)
    wechat = WeChatClient(apps={}, redis=redis)
    yield Services(wechat=wechat, tokens=AccessTokens(keys, "https://jifen.example"))
    await wechat.aclose()


async def followed(
    services: Services, query: str, *, seconds_max: float = 5.0, **changes: Any
) -> list[ExecutionResult]:
    """Every result of a subscription, up to one that ends it."""
    known: dict[str, Any] = {
        "caller": MEMBER,
        "now": START,
        "language": "en",
        "request_id": "r-1",
        "services": services,
        "clock": TickingClock(),
        **changes,
    }
    operations = Operations(SCHEMA, StressSettings(request_s_max=seconds_max), NO_DESK)
    line = Line(
        "sse", places=Places(StressSettings()), watch=OperationWatch(NAMES, 1), room=nullcontext
    )
    asked = GraphQLRequest(query=query)
    results = operations.results(asked, RequestContext(**known), line)
    async with aclosing(results):
        return [result async for result in results]


def codes(result: ExecutionResult) -> list[Any]:
    return [(error.extensions or {})["code"] for error in result.errors or []]


async def test_each_event_has_a_time_and_reads_of_its_own(services: Services) -> None:
    results = await followed(services, "subscription { ticks { number now read } }")
    assert [one.data for one in results] == [
        # The clock is asked when an event is paid for, and when it is executed.
        {"ticks": {"number": number, "now": f"2026-03-01T{12 + 2 * number}:00:00Z", "read": number}}
        for number in (1, 2, 3)
    ]


async def test_a_field_that_breaks_is_masked_and_the_next_event_comes(services: Services) -> None:
    results = await followed(services, "subscription { ticks { number broken } }")
    assert [one.data for one in results] == [
        {"ticks": {"number": number, "broken": None}} for number in (1, 2, 3)
    ]
    for result in results:
        [error] = result.errors or []
        assert error.formatted == {
            "message": "Internal error",
            "locations": [{"line": 1, "column": 31}],
            "path": ["ticks", "broken"],
            "extensions": {"code": "INTERNAL", "requestId": "r-1"},
        }


async def test_a_source_that_breaks_is_masked_and_ends(services: Services) -> None:
    first, last = await followed(services, "subscription { breaking { number } }")
    assert first.data == {"breaking": {"number": 1}}
    assert (last.data, codes(last)) == (None, ["INTERNAL"])
    assert [error.message for error in last.errors or []] == ["Internal error"]


async def test_an_event_takes_no_longer_than_it_may(services: Services) -> None:
    [result] = await followed(services, "subscription { ticks { number slow } }", seconds_max=0.01)
    assert (result.data, codes(result)) == (None, ["DEADLINE_EXCEEDED"])


async def test_a_query_takes_no_longer_than_it_may_wherever_it_comes_from(
    services: Services,
) -> None:
    with pytest.raises(TransportFault) as late:
        await followed(services, "{ slow }", seconds_max=0.01)
    assert late.value.code == "DEADLINE_EXCEEDED"
    assert late.value.facts == {"retryable": True, "outcome": "NONE"}


@pytest.mark.parametrize(
    ("query", "changes", "code"),
    [
        ("subscription { ticks { number } }", {"caller": None}, "UNAUTHENTICATED"),
        ("subscription { ticks { secret } }", {}, "FORBIDDEN"),
        ("subscription { ticks { nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { ticks { number } breaking { number } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { ticks { " + " ".join(f"a{n}: number" for n in range(31)) + " } }",
            {},
            "ALIAS_LIMIT",
        ),
        ("subscription { ticks { " + "number " * 31 + "} }", {}, "REPETITION_LIMIT"),
        (
            "subscription { ticks { number @skip(if: false)" + " @a" * 5 + " } }",
            {},
            "DIRECTIVE_LIMIT",
        ),
    ],
)
async def test_a_subscription_passes_the_checks_of_any_operation(
    services: Services, query: str, changes: dict[str, Any], code: str
) -> None:
    [result] = await followed(services, query, **changes)
    assert (result.data, codes(result)[0]) == (None, code)
