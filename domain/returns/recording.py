"""Recording refunds: the one writer.

Lock, replay, read, decide, post, write, announce: the caller's transaction, and a fixed number of
statements whatever the number of refunds, but for redemptions that end. Each refund stands for
itself: one that is refused changes nothing and is not remembered, so it may be sent again later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import idempotency, ledger, members, purchases, rewards, tiers
from domain.errors import OrderUnknown, Refusal
from domain.idempotency import Digests
from domain.ledger import BATCH_MAX, AfterDays, Books, Command, Posted, expires_at
from domain.notifications import Notification, notify
from domain.outbox import Event, announce
from domain.program import Programme
from domain.purchases import OrderPlace
from domain.returns.candidates import Candidate, candidates_for
from domain.returns.orders import OrderState, order_states
from domain.returns.planning import SOURCE_KIND, Decided, decide, give_back, most
from domain.returns.refunds import Refund
from domain.returns.tables import REFUND_LINES, REFUNDS
from domain.rewards import Redemption, RewardRules, Unused
from domain.tiers import Qualifying


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """A refund that is sound by itself and that nobody knows yet, with its place in the batch."""

    index: int
    refund: Refund
    digests: Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """Whose the orders of a batch are now, under lock: `owners` by the shop's id of the order.

    `books` are the accounts of all records of these members.
    """

    owners: Mapping[str, OrderPlace]
    books: Books


@dataclass(frozen=True, slots=True)
class Recorded:
    """A refund that is recorded, and what it came to then."""

    refund_id: UUID
    member_id: UUID
    points_taken: int
    debt_after: int


def refund_scope(source: str) -> str:
    """The idempotency scope of a source's refunds."""
    return f"returns.refund:{source}"


async def lock_orders(source: str, refunds: Iterable[Refund]) -> Locked:
    """Lock the members whose orders these are, and all accounts that their refunds may post to.

    Of a member whose record was joined to another one the order is that one's.
    """
    wanted = {refund.order_external_id for refund in refunds}

    async def look() -> tuple[Mapping[str, OrderPlace], Mapping[UUID, UUID]]:
        found = await purchases.find_orders(source, wanted)
        return found, await members.heirs({recorded_for for recorded_for, _ in found.values()})

    found, leads = await members.lock_found(look, lambda seen: set(seen[1].values()))
    records = await members.records_of(set(leads.values()))
    return Locked(
        owners={
            external_id: (leads[recorded_for], order_id)
            for external_id, (recorded_for, order_id) in found.items()
            if recorded_for in leads
        },
        books=await ledger.lock_accounts(records),
    )


async def record_new(
    refunds: Sequence[NewRefund],
    *,
    locked: Locked,
    source: str,
    rules_in_force: RewardRules,
    programme: Programme,
    now: datetime,
) -> tuple[dict[int, Recorded | Refusal], Sequence[Redemption]]:
    """Record refunds that no one knows yet, each id once; the outcome for each by its index.

    And the redemptions that ended: their rewards' stock, which many want at once, comes last in
    the caller's transaction.
    """
    wanted = {one.refund.order_external_id for one in refunds}
    places = {place for external_id, place in locked.owners.items() if external_id in wanted}
    states = await order_states(places, lock=True)
    grace_until = expires_at(
        AfterDays(rules_in_force.grace_days), earned_at=now, zone=programme.zone
    )
    outcomes = await _decided(
        refunds, locked=locked, states=states, grace_until=grace_until, now=now
    )
    made = [one for one in outcomes.values() if isinstance(one, Decided)]
    ended = await _post(made, books=locked.books, now=now)
    await rewards.withdraw(ended, now=now)
    await _write(made, source=source, now=now)
    await tiers.disqualify([qualifying(one) for one in made], zone=programme.zone, now=now)
    await _tell(made, source=source, now=now)
    recorded = {index: one for index, one in outcomes.items() if isinstance(one, Decided)}
    digests = {one.index: one.digests for one in refunds}
    await idempotency.remember(
        refund_scope(source),
        dict(_answer(recorded[index], digests[index]) for index in _by_id(recorded)),
        now=now,
    )
    told = {
        index: _recorded(one) if isinstance(one, Decided) else one
        for index, one in outcomes.items()
    }
    return told, [unused.redemption for unused, _ in ended]


def recorded_of(recalled: idempotency.Recalled) -> Recorded:
    """What is remembered of a known refund."""
    result = recalled.result
    return Recorded(
        UUID(result["refund_id"]),
        UUID(result["member_id"]),
        result["points_taken"],
        result["debt_after"],
    )


def qualifying(decided: Decided) -> Qualifying:
    """What a refund takes off what counts for levels, on the day on which the order counted."""
    order = decided.after.order
    return Qualifying(
        member_id=order.member_id,
        points=decided.points_taken,
        purchases=int(decided.is_whole),
        amount_fen=decided.refund.amount_fen,
        occurred_at=order.placed_at,
        source_kind=SOURCE_KIND,
        came_with=order.came_with,
    )


async def _decided(
    refunds: Sequence[NewRefund],
    *,
    locked: Locked,
    states: Mapping[UUID, OrderState],
    grace_until: datetime,
    now: datetime,
) -> dict[int, Decided | Refusal]:
    """What each refund does, one after the other.

    Redemptions are looked for where it turns out that somebody would owe points, and then all is
    decided once more.
    """
    candidates: Sequence[Candidate] = ()
    commands: list[Command] = [take for state in states.values() for take in most(state)]
    owners = {state.order.member_id for state in states.values()}
    draft = await ledger.draft(commands, of=owners, now=now, books=locked.books)
    outcomes = _in_turn(refunds, locked=locked, states=states, draft=draft, grace_until=grace_until)
    owing = [
        one.after
        for one in outcomes.values()
        if isinstance(one, Decided) and one.takes and one.debt_after > 0
    ]
    if owing:
        found = await candidates_for(owing, lock=True, now=now)
        candidates = [one for one in found if one.unused.spending[0] in locked.books]
    if not candidates:
        return outcomes
    commands += [give_back(one.unused, grace_until=grace_until) for one in candidates]
    draft = await ledger.draft(commands, of=owners, now=now, books=locked.books)
    return _in_turn(
        refunds,
        locked=locked,
        states=states,
        draft=draft,
        candidates=candidates,
        grace_until=grace_until,
    )


def _in_turn(
    refunds: Sequence[NewRefund],
    *,
    locked: Locked,
    states: Mapping[UUID, OrderState],
    draft: ledger.Draft,
    candidates: Sequence[Candidate] = (),
    grace_until: datetime,
) -> dict[int, Decided | Refusal]:
    """Each refund finds what those before it have left."""
    standing = dict(states)
    ended: set[UUID] = set()
    outcomes: dict[int, Decided | Refusal] = {}
    for one in refunds:
        _, order_id = locked.owners.get(one.refund.order_external_id, (None, None))
        state = standing.get(order_id) if order_id is not None else None
        if state is None:
            outcomes[one.index] = OrderUnknown(field=("order_external_id",))
            continue
        try:
            decided = decide(
                state,
                one.refund,
                refund_id=uuid7(),
                draft=draft,
                candidates=[c for c in candidates if c.unused.redemption.id not in ended],
                grace_until=grace_until,
            )
        except Refusal as refusal:
            outcomes[one.index] = refusal
            continue
        outcomes[one.index] = decided
        standing[state.order.id] = decided.after
        draft = decided.draft
        ended |= {unused.redemption.id for unused, _ in decided.ends}
    return outcomes


async def _post(
    made: Sequence[Decided], *, books: Books, now: datetime
) -> list[tuple[Unused, ledger.Place]]:
    """Post all as it was decided; the redemptions that end, each with the entry of its points."""
    commands: list[Command] = []
    ends: dict[int, Unused] = {}
    for one in made:
        for unused, back in one.ends:
            ends[len(commands)] = unused
            commands.append(back)
        commands += one.takes
    outcomes: list[Posted] = []
    for begin in range(0, len(commands), BATCH_MAX):
        # The books serve one posting; a further one opens them anew.
        posted = await ledger.post(
            commands[begin : begin + BATCH_MAX], now=now, books=books if begin == 0 else None
        )
        for outcome in posted:
            assert isinstance(outcome, Posted), "the draft was decided by the same books"
            outcomes.append(outcome)
    return [(unused, (outcomes[at].member_id, outcomes[at].seq)) for at, unused in ends.items()]


async def _write(made: Sequence[Decided], *, source: str, now: datetime) -> None:
    await REFUNDS.insert(
        {
            "member_id": one.after.order.member_id,
            "id": one.refund_id,
            "purchase_id": one.after.order.id,
            "source": source,
            "external_id": one.refund.external_id,
            "amount_fen": one.refund.amount_fen,
            "currency": one.after.order.currency,
            "refunded_at": one.refund.refunded_at.astimezone(UTC),
            "recorded_at": now,
            "points_taken": one.points_taken,
            "debt_after": one.debt_after,
            # A refund goes where its order goes, should the records of two members be parted.
            "came_with": one.after.order.came_with,
        }
        for one in made
    )
    await REFUND_LINES.insert(
        {
            "member_id": one.after.order.member_id,
            "refund_id": one.refund_id,
            "line_id": line.line_id,
            "purchase_id": one.after.order.id,
            "quantity": line.quantity,
            "amount_fen": line.amount_fen,
            "came_with": one.after.order.came_with,
        }
        for one in made
        for line in one.refund.lines
    )
    await purchases.write_refunded(
        {
            one.after.order.place: (one.after.order.refunded_fen, one.after.order.points_taken)
            for one in made
        }
    )


_TOLD: Final = "PURCHASE_REFUNDED"


async def _tell(made: Sequence[Decided], *, source: str, now: datetime) -> None:
    await notify(
        (
            Notification(
                member_id=one.after.order.member_id,
                kind=_TOLD,
                facts={
                    "purchase_id": str(one.after.order.id),
                    "amount_fen": one.refund.amount_fen,
                    "currency": one.after.order.currency,
                    "points_taken": one.points_taken,
                    "debt_after": one.debt_after,
                    "redemptions_ended": len(one.ends),
                },
            )
            for one in made
        ),
        now=now,
    )
    await announce((_event(one, source=source) for one in made), now=now)


def _event(one: Decided, *, source: str) -> Event:
    order, refund = one.after.order, one.refund
    return Event(
        kind="PurchaseRefunded",
        member_id=order.member_id,
        facts={
            "purchase_id": str(order.id),
            "refund_id": str(one.refund_id),
            "source": source,
            "external_id": refund.external_id,
            "order_external_id": refund.order_external_id,
            "refunded_at": refund.refunded_at.astimezone(UTC).isoformat(),
            "amount_fen": refund.amount_fen,
            "refunded_fen": order.refunded_fen,
            "currency": order.currency,
            "channel": order.channel,
            "shop": order.shop,
            "points_taken": one.points_taken,
        },
    )


def _by_id(recorded: Mapping[int, Decided]) -> list[int]:
    """Sorted by the shop's ids, so that batches lock keys alike."""
    return sorted(recorded, key=lambda index: recorded[index].refund.external_id)


def _recorded(one: Decided) -> Recorded:
    return Recorded(one.refund_id, one.after.order.member_id, one.points_taken, one.debt_after)


def _answer(one: Decided, digests: Digests) -> tuple[str, tuple[Digests, Any]]:
    """What is remembered of a refund, by its id."""
    recorded = _recorded(one)
    answer = {
        "refund_id": str(recorded.refund_id),
        "member_id": str(recorded.member_id),
        "points_taken": recorded.points_taken,
        "debt_after": recorded.debt_after,
    }
    return one.refund.external_id, (digests, answer)
