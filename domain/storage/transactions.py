"""Transactions with bounded waits and bounded retries."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import ClassVar, Protocol, TypeVar

import asyncpg
import stamina
from tortoise.backends.base.client import TransactionalDBClient
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from domain.storage.database import pool_in_force
from domain.storage.faults import TransactionContended

T = TypeVar("T")

TRIES = 4
"""One attempt and at most three retries."""


class UntilCommit(Protocol):
    """Something that collects during a transaction and is written as its last step.

    `rank` says in which order: all transactions take the locks of their last steps in one order.
    """

    rank: ClassVar[int]

    async def before_commit(self) -> None:
        """Write what was collected; what is raised rolls the transaction back."""
        ...

    def after_commit(self) -> None:
        """Tell others. Runs at once after the commit and must neither wait nor raise."""
        ...


UntilCommitT = TypeVar("UntilCommitT", bound=UntilCommit)

_ending: ContextVar[dict[type[UntilCommit], UntilCommit] | None] = ContextVar(
    "transaction_ending", default=None
)

_CONTENTION = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)


def _cause(exc: BaseException) -> BaseException:
    """The driver's error inside Tortoise's, which keeps it as argument or as cause."""
    if exc.__cause__ is not None:
        return exc.__cause__
    if exc.args and isinstance(exc.args[0], BaseException):
        return exc.args[0]
    return exc


def is_unique_violation(exc: BaseException) -> bool:
    """Whether a unique constraint refused a row: somebody else's transaction wrote it first."""
    cause = _cause(exc)
    return isinstance(cause, asyncpg.UniqueViolationError) or (
        isinstance(cause, sqlite3.IntegrityError) and "UNIQUE constraint failed" in str(cause)
    )


def _was_second(exc: Exception) -> bool:
    return isinstance(exc, IntegrityError) and is_unique_violation(exc)


def _lost_a_race(exc: Exception) -> bool:
    """Whether running again can succeed: contention, or a row that a competitor wrote first.

    After a unique violation the next run sees the competitor's row and takes the path of the
    replay. A lost connection is not retried here: its COMMIT may have happened.
    """
    if isinstance(exc, _CONTENTION) or isinstance(_cause(exc), _CONTENTION):
        return True
    if _was_second(exc):
        return True
    return isinstance(exc, OperationalError) and "database is locked" in str(_cause(exc))


def inside_transaction() -> bool:
    """Whether the caller runs inside a transaction."""
    return isinstance(get_connections().get("default"), TransactionalDBClient)


def until_commit(kind: type[UntilCommitT]) -> UntilCommitT:
    """The one object of this kind that the running transaction ends with, made when first asked.

    Only inside `transaction`. A transaction that runs again begins with a new one.
    """
    ending = _ending.get()
    assert ending is not None, "asked inside a transaction only"
    found = ending.get(kind)
    if found is None:
        found = ending[kind] = kind()
    assert isinstance(found, kind)
    return found


async def transaction(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in one transaction and return its result once it is committed.

    Any exception rolls back. Work that lost a race against another transaction runs again, at most
    three times with jitter, so `work` must read all it decides upon inside. Where it lost a lock it
    runs again within `retry_within_s` only, since it may have to wait for as long again; where
    another one's row was first it always does, however long it waited for that one's commit: it
    finds the row now. Inside another transaction it joins that one, which then owns retry and
    commit. Raises TransactionContended when the retries for locks are used up; a unique violation
    that stays is no race but a fault, and raised as it is.
    """
    if inside_transaction():
        return await work()
    last: Exception | None = None
    clock = asyncio.get_running_loop().time
    again_until = clock() + pool_in_force().retry_within_s

    def runs_again(exc: Exception) -> bool:
        return _was_second(exc) or (_lost_a_race(exc) and clock() < again_until)

    try:
        async for attempt in stamina.retry_context(
            on=runs_again,
            attempts=TRIES,
            timeout=None,
            wait_initial=0.01,
            wait_max=0.2,
            wait_jitter=0.02,
        ):
            with attempt:
                try:
                    return await _run(work)
                except Exception as exc:
                    last = exc
                    raise
    except Exception as exc:
        if exc is last and _lost_a_race(exc) and not is_unique_violation(exc):
            raise TransactionContended("the transaction kept losing against others") from exc
        raise
    raise AssertionError("a retry loop ends with a result or an exception")


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    ending: dict[type[UntilCommit], UntilCommit] = {}
    token = _ending.set(ending)
    try:
        async with in_transaction("default"):
            result = await work()
            for last in sorted(ending.values(), key=lambda one: one.rank):
                await last.before_commit()
    finally:
        _ending.reset(token)
    for last in ending.values():
        last.after_commit()
    return result
