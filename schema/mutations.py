"""Mutations: one `input`, one payload, and refusals of the domain as answers.

@object_type(policy=PUBLIC)
class RedeemRewardPayload(Payload):
    \"\"\"What redeeming a reward led to.\"\"\"

    redemption: Redemption | None = None
    \"\"\"The redemption; null when it was refused.\"\"\"

@mutation(OWNER)
async def redeem_reward(info: Info, input: RedeemRewardInput) -> RedeemRewardPayload:
    \"\"\"Spend points on a reward.\"\"\"
    redemption = await resolvers.rewards.redeem_reward(info.context, ...)
    return RedeemRewardPayload(redemption=redemption)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import MISSING
from typing import Any, TypeVar, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.base import StrawberryOptional, get_object_definition
from strawberry.types.field import StrawberryField

from domain.access import CallerKind
from domain.errors import Refusal
from schema.audits import Audited
from schema.charging import Sensitive, SensitiveCharged
from schema.cost import CHANGES, COST, Cost
from schema.errors import UserError, user_error
from schema.fields import Info, field, object_type
from schema.policies import POLICY, PUBLIC, Policy

ResolverT = TypeVar("ResolverT", bound=Callable[..., Awaitable[Any]])


@object_type(policy=PUBLIC)
class Payload:
    """The base of every payload: what was refused. Every other field is null then."""

    user_errors: list[UserError] = field(PUBLIC, default_factory=list, cost=Cost(items=1))
    """Why nothing was changed; empty when all was done."""


def mutation(
    policy: Policy, *, cost: Cost = CHANGES, sensitive: Sensitive | None = None
) -> Callable[[ResolverT], ResolverT]:
    """Declare a mutation: one argument named `input`, one payload.

    A refusal that the resolver raises is answered in the payload's `userErrors`; the use case's
    transaction has rolled back by then. The payload is nullable in the schema, so that a fault of
    ours in one mutation does not blank the others of the same document. What staff may ask for runs
    in a transaction that commits only if the use case recorded it (`domain.audit.record`).
    """

    def declare(resolver: ResolverT) -> ResolverT:
        declared: Any = strawberry.field(
            resolver=resolver,
            metadata={POLICY: policy, COST: cost},
            # The first stands innermost: a refusal rolls back before it is answered.
            extensions=[*_audits(policy), RefusalsAnswered(), *_charges(sensitive)],
        )
        if [one.python_name for one in declared.arguments] != ["input"]:
            message = f"a mutation takes one argument named input: {resolver.__qualname__}"
            raise TypeError(message)
        declared.arguments[0].description = "What the mutation needs."
        return cast("ResolverT", declared)

    return declare


def _charges(sensitive: Sensitive | None) -> list[FieldExtension]:
    """What must not be tried often is charged first, each time it runs."""
    return [] if sensitive is None else [SensitiveCharged(sensitive)]


def _audits(policy: Policy) -> list[FieldExtension]:
    """What staff changes is committed only with its row in the audit log: nobody can forget it."""
    return [Audited()] if CallerKind.STAFF in policy.kinds else []


class RefusalsAnswered(FieldExtension):
    """Turns a refusal that a mutation raised into a payload whose other fields are null."""

    payload: type[Payload]

    def apply(self, field: StrawberryField) -> None:
        """Learn the payload's class and make it nullable. Runs once per schema that is built."""
        declared: Any = field.type
        if isinstance(declared, StrawberryOptional):
            declared = declared.of_type
        self.payload = declared
        field.type_annotation = StrawberryAnnotation(declared | None)
        for one in get_object_definition(declared, strict=True).fields:
            if one.default is MISSING and one.default_factory is MISSING:
                message = f"{declared.__qualname__}.{one.python_name} needs a default, like None"
                raise TypeError(message)

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: Info, **kwargs: Any
    ) -> Any:
        """Await the mutation; answer what it refuses."""
        try:
            return await next_(source, info, **kwargs)
        except Refusal as refusal:
            info.context.operation.refusals.append(str(refusal.code))
            return self.payload(user_errors=[user_error(refusal, info.context.language)])
