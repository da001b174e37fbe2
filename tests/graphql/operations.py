"""The operations that clients send, word for word as they stand in `tests/operations`."""

from __future__ import annotations

from functools import cache

from schema.planned_operations import Operation, read_operations


@cache
def _operations() -> dict[str, Operation]:
    return read_operations()


def operation(name: str) -> str:
    """The text of one operation, as a client that sends it alone cuts it out of its file."""
    return _operations()[name].text
