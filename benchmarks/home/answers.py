"""That all servers answer the same bytes: nobody is faster because of answering less."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import orjson

from benchmarks.home.contestants import Contestant
from tests.faults.loading import http_request
from tests.faults.town import Town
from tests.graphql.operations import operation

VARIABLES = {"ledgerFirst": 20, "recommendationsFirst": 10}


def home_requests(town: Town) -> list[str]:
    """The home query of each member with its variables, whole requests."""
    text = operation("Home")
    return [http_request(text, VARIABLES, token=token) for token in town.member_tokens]


def answers(
    contestant: Contestant, tokens: Sequence[str], variables: dict[str, int] | None = None
) -> list[bytes]:
    """What the server answers each of them."""
    body = {"query": operation("Home"), "variables": VARIABLES if variables is None else variables}
    found = []
    with httpx.Client(trust_env=False, timeout=30) as http:
        for token in tokens:
            answer = http.post(
                f"http://127.0.0.1:{contestant.port}/graphql",
                content=orjson.dumps(body),
                headers={
                    "authorization": f"Bearer {token}",
                    "content-type": "application/json",
                    "accept-encoding": "identity",
                },
            )
            answer.raise_for_status()
            found.append(answer.content)
    return found


def check_same(contestants: Sequence[Contestant], town: Town, *, members: int = 40) -> bytes:
    """AssertionError where one answers a member otherwise than the first; returns one answer."""
    tokens = town.member_tokens[:: max(len(town.member_tokens) // members, 1)]
    first, *others = contestants
    for variables in (VARIABLES, {"ledgerFirst": 3}, {}):
        expected = answers(first, tokens, variables)
        for other in others:
            for one, same in zip(answers(other, tokens, variables), expected, strict=True):
                assert one == same, f"{other.name}: {one.decode()}\n{first.name}: {same.decode()}"
    return answers(first, tokens[:1])[0]
