"""Consumers: those whom events are handed to, and how their effect happens once.

An event is handed over at least once: whoever dies between the effect and the record of it leaves
the event to be handed over again. A consumer must therefore bear repetition. Where its effect is in
the database, `consume_once` makes it so.

A consumer is quick and local. What talks to another server writes down what is to be sent, and
another job sends it: a stream waits for its slowest consumer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from domain.outbox.streams import Announced
from domain.storage import Table, fetch_all, transaction

Handle = Callable[[Sequence[Announced]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody to whom events are handed: those of `kinds`, or with None all.

    `handle` gets batches of events of many members, each member's in the order of their stream.
    What it raises is tried again, one event at a time; see `ConsumerUnavailable` for the exception.
    `name` is kept in the database: it must not change.
    """

    name: str
    kinds: frozenset[str] | None
    handle: Handle

    def wants(self, event: Announced) -> bool:
        """Whether events of this kind are for this consumer."""
        return self.kinds is None or event.kind in self.kinds


class ConsumerUnavailable(Exception):
    """Raised by a consumer that cannot work at present, whatever the event.

    Nothing is counted against the event, so an outage parks nothing.
    """


_CONSUMED = Table("outbox_consumed", member_id="uuid", seq="bigint", consumer="text")


async def consume_once(
    consumer: str,
    events: Sequence[Announced],
    work: Callable[[Sequence[Announced]], Awaitable[None]],
) -> int:
    """Run `work` on those of the events that this consumer has not consumed; returns how many.

    The effect and its mark are written in one transaction: both are there or neither is. Of two
    workers with the same event one waits, and then finds it consumed.
    """
    if not events:
        return 0

    async def once() -> int:
        rows = await fetch_all(
            """
            SELECT member_id, seq FROM outbox_consumed
            WHERE member_id = ANY($1::uuid[]) AND seq BETWEEN $2 AND $3 AND consumer = $4
            """,
            list({event.member_id for event in events}),
            min(event.seq for event in events),
            max(event.seq for event in events),
            consumer,
        )
        consumed = {(row["member_id"], row["seq"]) for row in rows}
        new = [event for event in events if (event.member_id, event.seq) not in consumed]
        await _CONSUMED.insert(
            {"member_id": event.member_id, "seq": event.seq, "consumer": consumer} for event in new
        )
        if new:
            await work(new)
        return len(new)

    return await transaction(once)
