"""Charging: what is asked for is paid for before it runs, and made even with the answer.

Operations are charged by whoever asks: the signed-in caller wherever they are, or the address of an
anonymous one. Documents that the server does not know yet are charged for on top, by their length,
before they are parsed. Fields that must not be tried often are charged for each time they run, so
that aliases and batches gain nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from strawberry.extensions import FieldExtension

from resolvers.context import RequestContext
from resolvers.rates import Charge, RateKey, RateLimited, RatesUnavailable
from schema.document_costs import cost_exceeded
from schema.documents import DocumentExtension, Documents
from schema.faults import OVERLOADED_MESSAGE, RATE_LIMITED_MESSAGE, CodedError, FaultCode
from schema.fields import Info

REFUSED_COST: Final = 1
"""What an operation costs that was refused before it ran."""

MESSAGE_COST: Final = 1
"""What it costs to be asked something on a connection that is open already."""

CHARACTERS_PER_UNIT: Final = 16
DOCUMENT_COST_MAX: Final = 500


def document_cost(query: str) -> int:
    """What it costs to parse and validate a document of this text."""
    return min(1 + len(query) // CHARACTERS_PER_UNIT, DOCUMENT_COST_MAX)


async def charge(context: RequestContext, cost: int) -> Charge:
    """Take `cost` from whoever asks. Raises CodedError (RATE_LIMITED)."""
    try:
        return await context.services.rates.charge(context.rate_key, cost, now=context.now)
    except RateLimited as refusal:
        context.spending.left = refusal.left
        context.spending.restored_per_s = refusal.restored_per_s
        raise _limited(refusal) from None


@asynccontextmanager
async def refusals_charged(context: RequestContext) -> AsyncIterator[None]:
    """What is refused in the block, while its document is looked for, costs `REFUSED_COST`.

    Raises CodedError: the refusal, or RATE_LIMITED where not even that is left.
    """
    try:
        yield
    except CodedError:
        await charge(context, REFUSED_COST)
        raise


async def charge_document(context: RequestContext, documents: Documents, query: str | None) -> None:
    """Charge for a document that must be parsed first. Raises CodedError (RATE_LIMITED)."""
    if query and documents.kept(query) is None:
        await charge(context, document_cost(query))


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A mutation that must not be tried often.

    Each time it runs takes one out of the bucket `limit` of the caller's address and, where
    `subject` reads from the input what is tried, out of the bucket `subject_limit` of that; where
    there is a `device_limit`, also out of the bucket of the device, if the client names it.
    `runs_without_redis` lets a process count by itself while the shared buckets are away, where
    being refused is worse than a few tries more.
    """

    limit: str
    subject_limit: str = ""
    subject: Callable[[Any], str] | None = None
    device_limit: str = ""
    runs_without_redis: bool = False

    def keys(self, context: RequestContext, given: Any) -> list[RateKey]:
        """The buckets to take from. What is tried may be a secret, so only its hash is told."""
        keys = [RateKey(self.limit, context.address)]
        if self.subject is not None:
            keys.append(RateKey.of_secret(self.subject_limit, self.subject(given)))
        if self.device_limit and context.device:
            keys.append(RateKey.of_secret(self.device_limit, context.device))
        return keys


class SensitiveCharged(FieldExtension):
    """Charges a sensitive mutation before it runs."""

    def __init__(self, sensitive: Sensitive) -> None:
        self.sensitive = sensitive

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **kwargs: Any
    ) -> Any:
        """Charge, then run. Raises CodedError (RATE_LIMITED, or OVERLOADED without Redis)."""
        context = info.context
        rates, keys = context.services.rates, self.sensitive.keys(context, kwargs["input"])
        try:
            if self.sensitive.runs_without_redis:
                for key in keys:
                    await rates.charge(key, 1, now=context.now)
            else:
                await rates.charge_sensitive(keys, now=context.now)
        except RateLimited as refusal:
            raise _limited(refusal) from None
        except RatesUnavailable:
            raise CodedError(FaultCode.OVERLOADED, OVERLOADED_MESSAGE) from None
        return await next_(source, info, **kwargs)


class ChargingExtension(DocumentExtension):
    """The hooks of documents, with operations charged. For asynchronous execution."""

    async def on_execute(self) -> AsyncIterator[None]:  # type: ignore[override]  # a hook may be either
        """Check access and cost, charge, run, and make the charge even with the answer."""
        execution = self.execution_context
        context: RequestContext | None = execution.context
        assert self.prepared is not None, "a document is validated before it runs"
        if context is None:
            self.check_access()
            yield
            return
        plan = self.prepared.costs[execution.operation_name]
        requested = plan.requested(execution.variables)
        context.operation.cost = context.spending.requested = requested
        try:
            self.check_access()
            # A tool asks about the whole schema at once, which is a batch of a kind.
            about_schema = execution.operation_name in self.prepared.needs.about_schema
            cost_max = self.documents.limits.cost_max_of(
                in_batches=context.sends_batches or about_schema
            )
            if cost_max is not None and requested > cost_max:
                raise cost_exceeded(requested, cost_max=cost_max)
        except CodedError:
            await charge(context, REFUSED_COST)
            raise
        charged = await charge(context, requested)
        context.spending.of(charged)
        yield
        result = execution.result
        if result is None:
            return  # Events are yet to come.
        actual = requested
        if result.data is not None:
            actual = plan.actual(result.data, execution.variables)
        elif not any(error.path for error in result.errors or ()):
            actual = REFUSED_COST
        context.spending.actual = actual
        context.spending.left = context.services.rates.settle(charged, actual, now=context.now)

    def get_results(self) -> dict[str, Any]:
        """The cost, for a client that asks for it, as `extensions.cost`."""
        context: RequestContext | None = self.execution_context.context
        if context is None or not context.tells_cost or context.spending.requested is None:
            return {}
        return {"cost": context.spending.told()}


def _limited(refusal: RateLimited) -> CodedError:
    return CodedError(
        FaultCode.RATE_LIMITED, RATE_LIMITED_MESSAGE, retryAfter=refusal.retry_after_s
    )
