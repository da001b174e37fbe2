"""Consumers that write down what they are handed, and may be told to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from domain.outbox import Announced, Consumer, Event, announce
from tests.domain.ledger.commands import ALICE, NOW


async def tell(*kinds: str, member_id: UUID | None = ALICE) -> None:
    """One transaction that announces an event of each kind."""
    await announce([Event(kind=kind, member_id=member_id, facts={}) for kind in kinds], now=NOW)


class Listener:
    """Keeps each batch that it was handed; `fails` may raise for one."""

    def __init__(
        self,
        name: str = "listener",
        *,
        kinds: frozenset[str] | None = None,
        fails: Callable[[Sequence[Announced]], None] = lambda _: None,
    ) -> None:
        self.batches: list[list[str]] = []
        self.fails = fails
        self.consumer = Consumer(name, kinds, self.take)

    async def take(self, events: Sequence[Announced]) -> None:
        self.batches.append([event.kind for event in events])
        self.fails(events)

    @property
    def heard(self) -> list[str]:
        """The kinds of all that it was handed, repeated or not."""
        return [kind for batch in self.batches for kind in batch]


def choking_on(*kinds: str, error: type[Exception] = ValueError) -> Callable[..., None]:
    """Raises for a batch with an event of one of these kinds."""

    def fail(events: Sequence[Announced]) -> None:
        bad = [event.kind for event in events if event.kind in kinds]
        if bad:
            raise error(f"cannot digest {bad[0]}")

    return fail
