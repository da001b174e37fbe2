"""Every worked example of docs/ledger.md is what the ledger does, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain import storage
from tests.graphql import conftest
from tests.repository.ledger_notation import PAGE, Example, examples
from tests.repository.ledger_player import Player

shared_url = conftest.shared_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _database(shared_url: str) -> AsyncIterator[None]:
    await storage.connect(shared_url)
    yield
    await storage.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.usefixtures("_database")
@pytest.mark.parametrize("example", examples(), ids=str)
async def test_the_ledger_does_what_the_page_says(example: Example) -> None:
    await Player(example=example).play()


def test_no_example_was_passed_over() -> None:
    assert len(examples()) == PAGE.count("\n| when | command | entry |") >= 30
