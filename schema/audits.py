"""What staff is answered only if the audit log tells of it.

    @audited(SEES_MEMBERS)
    async def member(self, info: Info, by: ...) -> StaffMember | None:
        \"\"\"A member; each look is in the audit log.\"\"\"

The field's resolver runs in one transaction, which commits only if something was recorded in it. So
nothing is answered, and nothing done, that the log does not tell. Every mutation that staff may ask
for is wrapped so by `schema.mutations`; what staff reads of persons is declared with `audited`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import strawberry
from strawberry.extensions import FieldExtension

from domain import audit
from domain.access import CallerKind
from schema.cost import COST, READS, Cost
from schema.fields import Info
from schema.policies import POLICY, Policy

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


class Audited(FieldExtension):
    """Runs the resolver, when staff asks, in a transaction that commits only what was recorded."""

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **kwargs: Any
    ) -> Any:
        """Await the resolver; NotAudited, a fault of ours, when it recorded nothing."""
        caller = info.context.caller
        if caller is None or caller.kind is not CallerKind.STAFF:
            return await next_(source, info, **kwargs)
        return await audit.audited(lambda: next_(source, info, **kwargs))


def audited(policy: Policy, *, cost: Cost = READS) -> Callable[[F], F]:
    """Declare a method as a field that staff is answered only if its use was recorded."""

    def declare(resolver: F) -> F:
        declared = strawberry.field(
            resolver=resolver,
            metadata={POLICY: policy, COST: cost},
            extensions=[Audited()],
        )
        return cast("F", declared)

    return declare
