"""Orders from files: the same writer as for shops' pushes, idempotent by order id and line id.

A file is imported again, wholly or after it grew: lines that are recorded are left alone, an order
that has new lines gets them added (`amending`), and everything else is recorded as new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain import members
from domain.errors import Refusal
from domain.program import Programme, program
from domain.purchases.amending import Amendable, ImportedOrder, amend
from domain.purchases.earning import EarningRule
from domain.purchases.orders import Order, order_digests
from domain.purchases.recorded import Recorded
from domain.purchases.recording import (
    Candidate,
    Owners,
    Triage,
    conflict,
    judge,
    lock_owners,
    record_new,
    recorded_of,
    triage,
)
from domain.storage import transaction

FILE_ORDER_LINES_MAX = 10_000
"""Lines of one order that a file may bring."""
_MAY_GROW = frozenset({"lines", "paid", "placed_at", "shop", "channel"})
"""What may differ when a file brings more lines of a known order; the first record holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrders:
    """Record orders of a file under `source`; with `create_members`, members that are missing too.

    A member who is to be created is named by external reference. No two orders have the same id.
    """

    source: str
    orders: Sequence[Order]
    create_members: bool


async def import_orders(
    command: ImportOrders, *, rule: EarningRule, now: datetime
) -> list[ImportedOrder]:
    """Record up to 500 orders in one transaction; the outcome of each, in order.

    A fixed number of statements whatever the number of orders.
    """
    return await transaction(lambda: _import(command, rule=rule, now=now))


async def _import(
    command: ImportOrders, *, rule: EarningRule, now: datetime
) -> list[ImportedOrder]:
    programme = await program()
    contents = [order_digests(order, currency=programme.currency) for order in command.orders]
    sound, refused = judge(
        command.orders, contents, programme=programme, lines_max=FILE_ORDER_LINES_MAX, now=now
    )
    sorted_out, owners = await _lock_members(sound, command=command, now=now)
    outcomes = {index: ImportedOrder(refusal=refusal) for index, refusal in refused.items()}
    outcomes |= await _known(sorted_out, source=command.source, programme=programme, now=now)
    if sorted_out.unknown:
        outcomes |= await _unknown(
            sorted_out.unknown,
            command=command,
            owners=owners,
            rule=rule,
            programme=programme,
            now=now,
        )
    return [outcomes[index] for index in range(len(command.orders))]


async def _lock_members(
    sound: Sequence[Candidate], *, command: ImportOrders, now: datetime
) -> tuple[Triage, Owners]:
    """Register who is new, lock every account that this import may post to, and sort the orders.

    At once: known orders and new ones are posted one after the other, and locked apart, two imports
    with the same members in opposite roles would deadlock. What seemed new is looked for once more
    under the locks, since another import may have recorded it meanwhile.
    """
    before = await triage(sound, source=command.source)
    if command.create_members:
        references = [candidate.order.member for candidate in before.unknown]
        await members.register_external_members(references, now=now)
    known_owners = (recorded_of(recalled).member_id for _, recalled in before.known)
    owners = await lock_owners(before.unknown, others=known_owners)
    after = await triage(before.unknown, source=command.source)
    return Triage(known=[*before.known, *after.known], unknown=after.unknown), owners


async def _unknown(
    candidates: Sequence[Candidate],
    *,
    command: ImportOrders,
    owners: Owners,
    rule: EarningRule,
    programme: Programme,
    now: datetime,
) -> dict[int, ImportedOrder]:
    recorded = await record_new(
        candidates, owners=owners, source=command.source, rule=rule, programme=programme, now=now
    )
    return {
        index: ImportedOrder(refusal=outcome)
        if isinstance(outcome, Refusal)
        else ImportedOrder(
            added=[line.line_id for line in command.orders[index].lines],
            points_earned=outcome.points,
        )
        for index, outcome in recorded.items()
    }


async def _known(
    sorted_out: Triage, *, source: str, programme: Programme, now: datetime
) -> dict[int, ImportedOrder]:
    outcomes: dict[int, ImportedOrder] = {}
    grown: list[tuple[Candidate, Recorded]] = []
    for candidate, recalled in sorted_out.known:
        if not recalled.differing:
            lines = [line.line_id for line in candidate.order.lines]
            outcomes[candidate.index] = ImportedOrder(known=lines)
        elif _MAY_GROW.issuperset(recalled.differing):
            grown.append((candidate, recorded_of(recalled)))
        else:
            refusal = conflict(candidate, recalled.differing)
            outcomes[candidate.index] = ImportedOrder(refusal=refusal)
    # The record of whose order it was may have been joined to another one, with its purchases.
    leads = await members.heirs({recorded.member_id for _, recorded in grown})
    standing = [
        replace(recorded, member_id=leads.get(recorded.member_id, recorded.member_id))
        for _, recorded in grown
    ]
    amended = await amend(
        [Amendable(order=c.order, purchase=p) for (c, _), p in zip(grown, standing, strict=True)],
        source=source,
        programme=programme,
        now=now,
    )
    return outcomes | {
        candidate.index: outcome for (candidate, _), outcome in zip(grown, amended, strict=True)
    }
