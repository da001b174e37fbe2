"""Faults of the storage: not refusals, for no input is to blame. The edge answers OVERLOADED."""

from __future__ import annotations

from tortoise.exceptions import DBConnectionError


class StorageFault(Exception):
    """The root of the faults that a client may simply try again after."""


class ConnectionsBusy(StorageFault):
    """Raised when every connection stays in use for longer than a caller may wait."""

    def __init__(self, *, waited_s: float) -> None:
        super().__init__(f"no database connection became free within {waited_s} s")


class ConnectionLost(StorageFault, DBConnectionError):
    """Raised when the database cannot be reached, or went away under a statement.

    Whether a write that was under way took effect is unknown: send it again with the same key.
    """


class StatementTooSlow(StorageFault):
    """Raised when a statement took longer than it may, and was ended."""


class TransactionContended(StorageFault):
    """Raised when a transaction keeps losing against others after its bounded retries."""
