"""Clients that send the hash of a document, and the document itself only when asked for it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.conformance.conftest import Clients, Server, assert_all_passed

pytestmark = pytest.mark.conformance

UNKNOWN: Final = "a document unknown so far is sent once, after its hash"
KNOWN: Final = "its hash alone is enough from then on, by GET"
MUTATION: Final = "a mutation goes by POST, first by its hash"
OTHERS: Final = "others who know the hash get what is theirs"

CLIENTS: Final = {
    "apollo": ("Apollo Client, persisted queries", {UNKNOWN, KNOWN, OTHERS, MUTATION}),
    "urql": ("urql, persisted exchange", {UNKNOWN, KNOWN, MUTATION}),
}


@pytest.mark.parametrize("script", CLIENTS)
@pytest.mark.parametrize("mode", ["development", "closed"])
def test_hashes_are_enough_once_a_document_was_sent(
    clients: Clients, script: str, mode: str, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(mode)
    client, names = CLIENTS[script]
    results = clients.script(script, server)
    assert_all_passed(clients, results, client=client, mode=server.mode, names=names)
