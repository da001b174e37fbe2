"""The operations that clients send, word for word as they stand in `tests/operations`."""

from __future__ import annotations

from functools import cache

from tests.repository.operations import FOLDER, read_operations


@cache
def operation(name: str) -> str:
    """The text of one operation, as a client that sends it alone cuts it out of its file."""
    (definition,) = read_operations(FOLDER)[name].document.definitions
    assert definition.loc is not None, "the parser keeps locations"
    return definition.loc.source.body[definition.loc.start : definition.loc.end]
