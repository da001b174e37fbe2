"""The themes that members declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "{ me { version interests { theme { code name } source weight } } }"


async def declare(gateway: Gateway, session: Session, themes: Sequence[str]) -> Any:
    return await gateway.send("SetInterests", session.access_token, input={"themes": list(themes)})


async def declared(gateway: Gateway, session: Session, language: str = "zh") -> Any:
    response = await gateway.ask(QUERY, token=session.access_token, language=language)
    return response.json()["data"]["me"]


def interest(code: str) -> dict[str, Any]:
    return {"theme": {"code": code}, "source": "DECLARED"}


async def test_interests_are_declared_replaced_and_withdrawn(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    assert (await declared(gateway, session))["interests"] == []

    payload = await declare(gateway, session, ["tea", "home"])
    assert payload == {"interests": [interest("home"), interest("tea")], "userErrors": []}
    assert (await declared(gateway, session, "en"))["interests"] == [
        {"theme": {"code": "home", "name": "Home"}, "source": "DECLARED", "weight": 1.0},
        {"theme": {"code": "tea", "name": "Tea"}, "source": "DECLARED", "weight": 1.0},
    ]

    assert (await declare(gateway, session, ["tea", "tea", "gems"]))["interests"] == [
        interest("gems"),
        interest("tea"),
    ]
    assert (await declare(gateway, session, []))["interests"] == []
    assert (await declared(gateway, session))["interests"] == []


async def test_the_version_tells_of_a_change_and_of_nothing_else(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    versions = []
    for themes in (["tea"], ["tea"], ["home"]):
        await declare(gateway, session, themes)
        versions.append((await declared(gateway, session))["version"])
    assert versions[0] == versions[1] != versions[2]


async def test_what_is_no_theme_is_refused(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    await declare(gateway, session, ["tea"])
    before = await everything_kept()

    for themes in (
        ["coffee"],
        ["tea", "coffee"],
        [""],
        ["TEA"],
        ["茶"],
        ["t" * 65],
        ["x" * 100_000],
        [f"theme-{number}" for number in range(101)],
    ):
        response = await gateway.ask(
            operation("SetInterests"), {"input": {"themes": themes}}, token=session.access_token
        )
        payload = response.json()["data"]["setInterests"]
        assert payload["interests"] is None
        codes = [(error["code"], error["field"]) for error in payload["userErrors"]]
        assert codes == [("INVALID_INPUT", ["themes"])], themes[0][:50]
        assert len(response.content) < 1_000, "an answer does not repeat what it was sent"

    assert await everything_kept() == before
    assert (await declare(gateway, session, ["home"]))["userErrors"] == []
