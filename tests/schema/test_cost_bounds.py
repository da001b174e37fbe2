"""The cost is an upper bound: held against the objects in answers to random documents."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from graphql import GraphQLSchema

from domain.access import Caller, CallerKind
from resolvers.context import RequestContext
from resolvers.rates import Unlimited
from schema.documents import InvalidDocument
from tests.schema.random_documents import RandomDocument
from tests.schema.sample import MEMBER_A, build_sample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OF_OTHERS = frozenset({"Query.partner", "Query.staff", "ClosedThing.label"})
FAILING = frozenset({"Query.broken", "Query.overflowing", "Query.refused", "Query.forbidden"})


class Services:
    """What the sample needs of them."""

    rates = Unlimited()


def alice() -> RequestContext:
    caller = Caller(
        kind=CallerKind.MEMBER,
        subject=MEMBER_A,
        scopes=frozenset(),
        roles=frozenset(),
        session_id=None,
        issued_at=NOW,
        expires_at=NOW,
    )
    services = cast("Any", Services)
    return RequestContext(
        caller=caller, now=NOW, language="en", request_id="r-1", services=services
    )


def objects(value: object) -> int:
    """The objects in an answer, its root included."""
    if isinstance(value, dict):
        return 1 + sum(map(objects, value.values()))
    return sum(map(objects, value)) if isinstance(value, list) else 0


@pytest.mark.soak
async def test_no_answer_has_more_objects_than_were_charged(
    tally: Callable[[str, int, int], None], full_form: bool
) -> None:
    documents = 2_000 if full_form else 60
    schema = build_sample()
    graphql_schema: GraphQLSchema = schema._schema
    dice = random.Random(20_261_123)
    looked_at = shorter = answered = 0
    for _ in range(documents):
        document = RandomDocument(graphql_schema, dice, left_out=OF_OTHERS | FAILING)
        query = document.write()
        with suppress(InvalidDocument):
            # The writer cannot know what may be merged with what; then nothing is looked at.
            schema.prepare(query)
        prepared = schema.documents.kept(query)
        if prepared is None:
            continue
        plan = prepared.costs[None]
        for _ in range(2):
            variables = document.variables()
            requested = plan.requested(variables)
            result = await schema.execute(query, variables, alice())
            assert result.errors is None, (query, result.errors)
            assert result.data is not None
            found = objects(result.data)
            actual = plan.actual(result.data, variables)
            assert plan.least <= requested, query
            assert found <= actual <= requested, (query, variables)
            looked_at += 1
            answered += found
            shorter += actual < requested
    tally("answers held against their cost", looked_at, documents)
    tally("objects in them", answered, documents * 20)
    tally("answers that cost less than was charged", shorter, documents // 4)
