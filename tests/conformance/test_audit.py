"""The audit of the npm package `graphql-http`: 61 questions of the GraphQL-over-HTTP draft."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.conformance.conftest import Clients, Server

pytestmark = pytest.mark.conformance

AUDITS: Final = 61

BY_HASH_ONLY: Final = {"5A70", "6A70", "D6D5"}
"""A production server takes a GET only where it names a document that the server knows, by hash."""

BY_INTROSPECTION: Final = {"28B9", "2EA1"}
"""These send a variable to `__type`, and a production server shows its schema to no stranger."""


def audit(clients: Clients, server: Server, mode: str, **environment: str) -> dict[str, Any]:
    """The audits that were not answered as the specification wants, be it as a recommendation."""
    results = clients.script("audit", server, **environment)
    assert len({one["id"] for one in results}) == AUDITS
    failed = {one["id"]: one for one in results if one["status"] != "ok"}
    others = f", not {', '.join(sorted(failed))}" if failed else ""
    clients.note("graphql-http audit", mode, f"{AUDITS - len(failed)} of {AUDITS}{others}")
    return failed


def test_development_answers_every_audit(clients: Clients, development: Server) -> None:
    assert audit(clients, development, "development") == {}


def test_production_differs_in_the_three_that_are_named(clients: Clients, closed: Server) -> None:
    token = closed.demo["memberToken"]
    failed = audit(clients, closed, "production", AUDIT_TOKEN=token)
    assert failed.keys() == BY_HASH_ONLY, failed


def test_a_stranger_cannot_try_the_two_that_ask_for_the_schema(
    clients: Clients, closed: Server
) -> None:
    failed = audit(clients, closed, "production, no token")
    assert failed.keys() == BY_HASH_ONLY | BY_INTROSPECTION, failed
