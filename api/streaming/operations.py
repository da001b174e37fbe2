"""Running an operation of which results may come for hours.

A query or a mutation gives one result, with the checks, the place and the deadline that it has over
HTTP. A subscription gives one for each event, and holds no place in between. Each event is paid for
like the operation itself; where its follower has nothing left it comes later, since nobody pushes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from graphql import OperationType as GraphQLOperationType
from graphql import get_operation_ast
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from api.graphql_answer import refused_operation
from api.graphql_request import GraphQLRequest
from api.limits import sends_batches
from api.observability.operations import OperationWatch, Transport
from api.persisted.finding import DocumentDesk, Found
from api.persisted.keeping import KeptDocuments
from api.stress.admission import inside
from api.stress.deadlines import deadline_exceeded
from api.stress.places import NoPlace, Places
from api.stress.settings import StressSettings
from api.transport import TransportFault, overloaded
from resolvers.context import RequestContext
from resolvers.rates import RateLimited
from schema.building import JifenSchema
from schema.charging import MESSAGE_COST, charge, charge_document, refusals_charged
from schema.documents import InvalidDocument
from schema.events import Following

READ: Final = frozenset({OperationType.QUERY})
READ_OR_CHANGE: Final = frozenset({OperationType.QUERY, OperationType.MUTATION})

EVENTS_AT_ONCE: Final = 4
"""Events of all subscriptions of a process that are executed at the same time."""


def loop_time() -> float:
    """Now, on the loop's clock."""
    return asyncio.get_running_loop().time()


Room = Callable[[], AbstractContextManager[None]]
"""Room for one more subscription, while it lives. Raises TransportFault where there is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """Over what the results of an operation go, and what it takes there. By GET nothing changes.

    `asked_at` is when the operation was asked for, on the loop's clock: it must answer, or begin to
    follow, within so many seconds of that.
    """

    transport: Transport
    places: Places = field(kw_only=True)
    watch: OperationWatch = field(kw_only=True)
    room: Room = field(kw_only=True)
    method: str = field(default="POST", kw_only=True)
    asked_at: float = field(default_factory=loop_time, kw_only=True)


@dataclass(frozen=True, slots=True)
class Operations:
    """Runs the operations of connections that stay open.

    `events` bounds how many events are executed at once; `sleep` passes the time until a follower
    can pay for the next.
    """

    schema: JifenSchema
    bounds: StressSettings
    desk: DocumentDesk
    events: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EVENTS_AT_ONCE))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def find(
        self, asked: GraphQLRequest, context: RequestContext, *, kept: KeptDocuments
    ) -> GraphQLRequest:
        """The request of a message with the text of its document. Raises CodedError."""
        await charge(context, MESSAGE_COST)
        async with refusals_charged(context):
            found = await self.desk.find(asked, caller=context.caller, kept=kept)
        await charge_document(context, self.schema.documents, found.text)
        await self.keep(found, context, kept=kept)
        return replace(asked, query=found.text)

    async def keep(self, found: Found, context: RequestContext, *, kept: KeptDocuments) -> None:
        """Keep a document that came with its hash, if it is new and valid."""
        if not found.is_new or found.text is None:
            return
        with suppress(InvalidDocument):
            self.schema.prepare(found.text)
            await self.desk.keep(found, caller=context.caller, kept=kept)

    def asks_to_follow(self, asked: GraphQLRequest) -> bool:
        """Whether the operation is a subscription of a valid document."""
        with suppress(InvalidDocument):
            prepared = self.schema.prepare(asked.query or "")
            chosen = get_operation_ast(prepared.document, asked.operation_name)
            return chosen is not None and chosen.operation is GraphQLOperationType.SUBSCRIPTION
        return False

    async def results(
        self, asked: GraphQLRequest, context: RequestContext, line: Line
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of the operation. Raises TransportFault when it does not run at all."""
        try:
            result = await self._one(asked, context, line)
        except InvalidOperationTypeError as refusal:
            if refusal.operation_type is not OperationType.SUBSCRIPTION:
                raise refused_operation(refusal, method=line.method) from None
        except (CannotGetOperationTypeError, MissingQueryError) as refusal:
            raise refused_operation(refusal, method=line.method) from None
        else:
            yield result
            return
        with line.room(), line.watch.subscription(line.transport):
            following = await self._begin(asked, context, asked_at=line.asked_at)
            if isinstance(following, ExecutionResult):
                line.watch.event(context, following)
                yield following
                return
            async with aclosing(following.source):
                while (event := await self._next(following)) is not None:
                    line.watch.event(context, event)
                    yield event
                    if isinstance(event, PreExecutionError):
                        return

    async def _begin(
        self, asked: GraphQLRequest, context: RequestContext, *, asked_at: float
    ) -> Following | ExecutionResult:
        """The subscription once it has begun, or why it does not, in time."""
        try:
            async with asyncio.timeout_at(asked_at + self.bounds.request_s_max):
                return await self.schema.begin(
                    asked.query,
                    variables=asked.variables,
                    operation_name=asked.operation_name,
                    context=context,
                )
        except TimeoutError:
            raise self._too_late(asked) from None

    async def _next(self, following: Following) -> ExecutionResult | None:
        """The next event, or why there will be none; None where the source is at its end."""
        try:
            payload = await anext(following.source)
        except StopAsyncIteration:
            return None
        except Exception as failure:
            return self.schema.failed([failure], following.context)
        await self._pay(following)
        async with self.events:
            return await self.schema.execute_event(
                following, payload, seconds_max=self.bounds.request_s_max
            )

    async def _pay(self, following: Following) -> None:
        """Pay for one event, once there is enough in the bucket."""
        while True:
            try:
                await following.charge()
            except RateLimited as refusal:
                await self.sleep(refusal.retry_after_s)
            else:
                return

    async def _one(
        self, asked: GraphQLRequest, context: RequestContext, line: Line
    ) -> ExecutionResult:
        """The one result of a query or a mutation, in time."""
        operation = partial(
            self.schema.execute,
            asked.query,
            variable_values=asked.variables,
            context_value=context,
            operation_name=asked.operation_name,
            operation_extensions=asked.extensions,
            allowed_operation_types=READ if line.method == "GET" else READ_OR_CHANGE,
        )
        try:
            async with inside(line.places, context.rate_key) as place:
                if context.caller is not None:
                    place.belongs_to(context.caller.subject)
                async with asyncio.timeout_at(line.asked_at + self._seconds(context)) as deadline:
                    with line.watch.operation(context, is_late=deadline.expired) as watched:
                        result = await operation()
                        watched.end(result)
                        return result
        except NoPlace:
            raise overloaded() from None
        except TimeoutError:
            raise self._too_late(asked) from None

    def _seconds(self, context: RequestContext) -> float:
        batches = context.caller is not None and sends_batches(context.caller)
        return self.bounds.batch_request_s_max if batches else self.bounds.request_s_max

    def _too_late(self, asked: GraphQLRequest) -> TransportFault:
        changes = self.schema.documents.may_change(asked.query, asked.operation_name)
        return deadline_exceeded("UNKNOWN" if changes else "NONE")
