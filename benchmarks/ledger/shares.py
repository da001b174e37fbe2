"""Where the time of a posting goes, part by part, each without what it called of the others."""

from __future__ import annotations

import functools
import inspect
import pkgutil
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from domain import storage
from domain.storage import Statement

SQL: Final = "waiting for SQL"
REST: Final = "transaction, driver, event loop"

PARTS: Final = {
    "domain.ledger.book.chain.canonical_content": "hashing",
    "domain.ledger.book.chain.text_commitment": "hashing",
    "domain.ledger.book.chain.link": "hashing",
    "domain.ledger.posting.apply_command": "decisions",
    "domain.ledger.posting.open_books": "reading rows",
    "domain.ledger.posting.load_open_lots": "reading rows",
    "domain.ledger.posting.write_books": "building rows",
    "domain.ledger.posting._digests": "idempotency",
    "domain.ledger.posting._recall": "idempotency",
    "domain.ledger.posting._remembering": "idempotency",
    "domain.ledger.posting.announce": "outbox",
    "domain.outbox.announcing._Telling.before_commit": "outbox",
}


class Shares:
    """Seconds by part. One task at a time: what runs meanwhile would be counted to it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    def statement_ended(self, statement: Statement) -> None:
        self.seconds[SQL] += statement.duration_s
        self.seconds[self._open[-1]] -= statement.duration_s

    def connection_awaited(self, waited_s: float, *, granted: bool) -> None:
        """Part of the rest."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block to this part."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def counted(self, function: Any, name: str) -> Any:
        """The function, counted to this part."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*args: Any, **kwargs: Any) -> Any:
                with self.part(name):
                    return await function(*args, **kwargs)

            return waited

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return called


@contextmanager
def measured(parts: Mapping[str, str] = PARTS) -> Iterator[Shares]:
    """Measure what is posted inside the block, with the functions that make the parts wrapped."""
    shares = Shares()
    with ExitStack() as stack:
        for path, name in parts.items():
            where, _, what = path.rpartition(".")
            owner = pkgutil.resolve_name(where)
            function = getattr(owner, what)
            stack.enter_context(mock.patch.object(owner, what, shares.counted(function, name)))
        stack.callback(storage.listen(shares))
        stack.enter_context(shares.part(REST))
        yield shares
