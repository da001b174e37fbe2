"""Plans and graphql-core alone over our own schema and a whole life: the same bytes, and as much
asked of the database.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis_graphql import queries
from starlette.routing import Route
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Stock

from api.fake_wechat import RunningFake
from api.graphql_view import GraphQLView
from domain.storage import observed_statements
from schema.building import JifenSchema
from tests.execution.comparing import planned
from tests.execution.generating import variations
from tests.fuzz.generated import SCALARS, SDL, examples, plausible
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for, without_limits
from tests.graphql.matrix.crowd import Crowd, gather
from tests.graphql.operations import operation
from tests.graphql.programme import set_up_programme

FULL, SHORT = 10_000, 128

CALLERS = {
    "me": "member A",
    "node": "member A",
    "rewards": "member A",
    "program": "anonymous",
    "gameCampaigns": "anonymous",
    "consentTexts": "anonymous",
    "feedbackTopics": "anonymous",
    "partner": "partner P",
    "staff": "staff support",
}
"""Who asks for a field of the root."""

TURNS = (*CALLERS, "me", "node", "me", "node", "me", "staff", "me")
"""What is asked for, by turns: most often where there is most."""

_OF_ONE_REQUEST = re.compile(rb'(?<="requestId":)"[0-9a-f]+"|(?<="budget":)[0-9]+')
"""What is another one for every request: its id, and how much the caller has left."""

_GLOBAL_ID = re.compile(r'"id":"([A-Za-z0-9_-]{20,})"')

Tally = Callable[[str, int, int], None]


@pytest.fixture
async def crowd(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> AsyncIterator[Crowd]:
    settings = without_limits(settings_for(sqlite_url, tmp_path, fake))
    async with open_gateway(settings, fake) as opened:
        await set_up_programme(now=NOW)
        yield await gather(opened)


def served_schema(gateway: Gateway) -> JifenSchema:
    """The schema that the gateway serves."""
    (view,) = [
        route.app
        for route in gateway.app.routes
        if isinstance(route, Route) and route.path == "/graphql"
    ]
    assert isinstance(view, GraphQLView)
    return view.schema


class Both:
    """Asks the gateway twice: with graphql-core alone, and by plans."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.schema = gateway, served_schema(gateway)
        self.plans = planned()
        self.ids: dict[str, None] = {}
        self.found = Counter[str]()

    async def compare(
        self, text: str, variables: Mapping[str, Any], *, token: str | None
    ) -> httpx.Response:
        """The answer, which is the same by both: its bytes, its headers, and its statements."""
        told = []
        for executor in (Stock, self.plans):
            self.schema.execution_context_class = executor
            with observed_statements() as statements:
                answer = await self._ask(text, variables, token=token)
            content = _OF_ONE_REQUEST.sub(b"0", answer.content)
            asked = sorted(statements)
            told.append((answer.status_code, content, answer.headers.get("content-type"), asked))
        assert told[0] == told[1], (text, variables)
        self.ids |= dict.fromkeys(_GLOBAL_ID.findall(answer.text))
        self.found["compared"] += 1
        self.found["with errors"] += b'"errors"' in answer.content
        self.found["with data"] += len(answer.content) > 100 and b'"data":{' in answer.content
        self.found["statements"] += len(statements)
        return answer

    async def _ask(
        self, text: str, variables: Mapping[str, Any], *, token: str | None
    ) -> httpx.Response:
        headers = {"x-jifen-cost": "1"} | ({"authorization": f"Bearer {token}"} if token else {})
        return await self.gateway.http.post(
            "/graphql", json={"query": text, "variables": dict(variables)}, headers=headers
        )


def documents(count: int) -> dict[str, list[str]]:
    """So many in all, by the field of the root that they ask for."""
    shares = Counter(TURNS[number % len(TURNS)] for number in range(count))
    return {
        name: examples(queries(SDL, fields=[name], custom_scalars=SCALARS), share)
        for name, share in shares.items()
    }


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_random_queries_over_a_life_are_answered_alike(
    crowd: Crowd, full_form: bool, tally: Tally
) -> None:
    count = FULL if full_form else SHORT
    both, dice = Both(crowd.gateway), random.Random(20_261_124)
    tokens = {one.name: one.token for one in crowd}
    await both.compare(operation("Home"), {}, token=tokens["member A"])
    number = 0
    for name, texts in documents(count).items():
        told = [plausible(text, at, [*both.ids]) for at, text in enumerate(texts)]
        for one in variations(both.schema._schema, told, dice):
            number += 1
            for values in one.values:
                await both.compare(one.text, values, token=tokens[CALLERS[name]])
    tally("documents over a life", number, count * 9 // 10)
    tally("answers of them compared", both.found["compared"], number * 2)
    tally("of these answers with data", both.found["with data"], number // 2)
    tally("of these answers with errors", both.found["with errors"], number // 20)
    tally("statements they sent", both.found["statements"], number)
