"""A key is known exactly if its effect is there, with its first answer and its input's digests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError

from domain.idempotency import Recalled, digests, recall, remember
from domain.storage import fetch_all, observed_statements, transaction
from tests.domain.ledger.commands import NOW

INPUT = {"points": 5, "member": UUID(int=7), "note": "积分", "at": NOW, "parts": [1, {"b": 2}]}


def test_a_digest_is_taken_of_each_field() -> None:
    # echo -n 5 | sha256sum, the first half
    assert digests({"points": 5})["points"] == "ef2d127de37b942baad06145e54b0c61"
    assert digests(INPUT).keys() == INPUT.keys()
    assert digests(dict(reversed(INPUT.items()))) == digests(INPUT)
    assert digests({"parts": {"a": 1, "b": 2}}) == digests({"parts": {"b": 2, "a": 1}})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (5, 6),
        (5, "5"),
        (0, False),
        (None, ""),
        (None, "null"),
        ([1, 2], [2, 1]),
        (NOW, NOW + timedelta(microseconds=1)),
    ],
)
def test_what_differs_has_different_digests(one: object, other: object) -> None:
    assert digests({"field": one}) != digests({"field": other})


@pytest.fixture
async def known(database: str) -> dict[str, str]:
    given = digests(INPUT)

    async def use() -> None:
        await remember("shop", {"k": (given, {"seq": 1, "parts": ["a", None]})}, now=NOW)

    await transaction(use)
    return given


async def test_a_known_key_gives_its_first_answer(known: dict[str, str]) -> None:
    recalled = await recall("shop", {"k": known, "never": known})
    assert recalled == {
        "k": Recalled(result={"seq": 1, "parts": ["a", None]}, digests=known, differing=())
    }


async def test_another_input_is_told_by_the_fields_that_differ(known: dict[str, str]) -> None:
    altered = digests({**INPUT, "points": 6, "note": ""})
    more = digests({**INPUT, "more": 1})
    less = {name: digest for name, digest in known.items() if name != "parts"}
    for given, differing in [
        (altered, ("note", "points")),
        (more, ("more",)),
        (less, ("parts",)),
        ({}, ("at", "member", "note", "parts", "points")),
    ]:
        assert (await recall("shop", {"k": given}))["k"].differing == differing
        recalled = (await recall("shop", {"k": known}))["k"]
        assert recalled.compared_with(given).differing == differing


async def test_scopes_do_not_know_each_others_keys(known: dict[str, str]) -> None:
    assert await recall("partner", {"k": known}) == {}


@pytest.mark.usefixtures("database")
async def test_a_key_that_was_rolled_back_was_never_used() -> None:
    async def use_and_fail() -> None:
        await remember("shop", {"k": ({}, 1)}, now=NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await transaction(use_and_fail)
    assert await recall("shop", {"k": {}}) == {}


async def test_a_key_is_remembered_once(known: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        await remember("shop", {"new": (known, 2), "k": (known, 2)}, now=NOW)
    assert (await recall("shop", {"k": known}))["k"].result == {"seq": 1, "parts": ["a", None]}
    assert await recall("shop", {"new": known}) == {}


@pytest.mark.usefixtures("database")
async def test_any_json_value_is_an_answer() -> None:
    answers: list[Any] = [{}, [], "words 🎁", "5", 5, -(2**53), 1.5, True, None]
    await remember("s", {str(n): ({}, answer) for n, answer in enumerate(answers)}, now=NOW)
    recalled = await recall("s", {str(n): {} for n in range(len(answers))})
    found = [recalled[str(n)].result for n in range(len(answers))]
    assert [(type(f), f) for f in found] == [(type(a), a) for a in answers]


@pytest.mark.usefixtures("database")
async def test_many_keys_are_one_statement() -> None:
    with observed_statements() as statements:
        await recall("s", {})
        await remember("s", {}, now=NOW)
        assert statements == []
        await remember("s", {str(n): ({}, n) for n in range(500)}, now=NOW)
        recalled = await recall("s", {str(n): {} for n in range(600)})
    assert len(statements) == 2
    assert {key: one.result for key, one in recalled.items()} == {str(n): n for n in range(500)}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_length(key: str) -> None:
    with pytest.raises(IntegrityError):
        await remember("s", {key: ({}, 1)}, now=NOW)
    assert await fetch_all("SELECT 1 FROM idempotency") == []
