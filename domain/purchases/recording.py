"""Recording orders: the one writer, used by shops' pushes and by imports.

Lock, replay, read, decide (pure), post, write, announce: the caller's transaction, and a fixed
number of statements whatever the number of orders. Each order stands for itself: one that is
refused changes nothing and is not remembered, so it may be sent again later and succeed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain import catalogue, idempotency, tiers
from domain.errors import IdempotencyConflict, MemberNotFound, Refusal
from domain.idempotency import Recalled
from domain.ledger import Outcome, Place, lock_named, post
from domain.outbox import Event, announce
from domain.program import Programme
from domain.purchases.earning import EarningRule
from domain.purchases.orders import Order, refusal_of
from domain.purchases.recorded import (
    LevelEffect,
    Recorded,
    earn_of,
    line_row,
    qualify_for_levels,
    rate_permille,
    sorted_by_outcome,
    write_lines,
)
from domain.purchases.rules import EarningLine, points_earned
from domain.storage import Table

ORDERS_MAX = 500
"""Orders that one call may carry; the ledger posts them as one batch."""

_PURCHASES = Table(
    "purchase",
    member_id="uuid",
    id="uuid",
    source="text",
    external_id="text",
    placed_at="timestamptz",
    recorded_at="timestamptz",
    paid_fen="bigint",
    currency="text",
    channel="text",
    shop="text",
    rule_code="text",
    rule_version="int",
    multiplier_permille="int",
    points="bigint",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that is sound by itself, with its place in the batch and its digests."""

    index: int
    order: Order
    digests: Mapping[str, str]


Owners: TypeAlias = Mapping[int, UUID | None]
"""Whose each order is, by its index in the batch; None where nobody is named so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """Sound orders sorted: known from before, and new ones."""

    known: list[tuple[Candidate, Recalled]]
    unknown: list[Candidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placement:
    """What is decided for a new order, before it is written."""

    candidate: Candidate
    purchase: Recorded
    placed_at: datetime
    multiplier_permille: int
    rates_permille: Sequence[int]


def judge(
    orders: Sequence[Order],
    digests: Sequence[Mapping[str, str]],
    *,
    programme: Programme,
    lines_max: int,
    now: datetime,
) -> tuple[list[Candidate], dict[int, Refusal]]:
    """Judge each order by itself: those that are sound, and the refusals of others by index."""
    assert len(orders) <= ORDERS_MAX, "the caller splits larger batches"
    refused: dict[int, Refusal] = {}
    sound: list[Candidate] = []
    for index, order in enumerate(orders):
        refusal = refusal_of(order, currency=programme.currency, lines_max=lines_max, now=now)
        if refusal is not None:
            refused[index] = refusal
        else:
            sound.append(Candidate(index, order, digests[index]))
    return sound, refused


async def lock_owners(candidates: Sequence[Candidate], *, others: Iterable[UUID] = ()) -> Owners:
    """Find whose the orders are, and lock the accounts that they, or `others`, may post to.

    Before anything is recalled: levels rise and orders are remembered under these locks, so whoever
    waited for them sees what the one before wrote, and does not write it again in vain.
    """
    found, _ = await lock_named([c.order.member for c in candidates], others=others)
    return {c.index: owner for c, owner in zip(candidates, found, strict=True)}


async def triage(candidates: Sequence[Candidate], *, source: str) -> Triage:
    """Find those whose id this source used before."""
    first = {c.order.external_id: c.digests for c in reversed(candidates)}
    recalled = await idempotency.recall(order_scope(source), first)
    known, unknown = [], []
    for candidate in candidates:
        earlier = recalled.get(candidate.order.external_id)
        if earlier is None:
            unknown.append(candidate)
        else:
            known.append((candidate, earlier.compared_with(candidate.digests)))
    return Triage(known=known, unknown=unknown)


def order_scope(source: str) -> str:
    """The idempotency scope of a source's orders."""
    return f"purchases.order:{source}"


async def record_new(
    candidates: Sequence[Candidate],
    *,
    owners: Owners,
    source: str,
    rule: EarningRule,
    programme: Programme,
    now: datetime,
) -> dict[int, Recorded | Refusal]:
    """Record orders that no one knows yet, each id once; the outcome for each by its index.

    `owners` are from `lock_owners`, earlier in the same transaction.
    """
    outcomes: dict[int, Recorded | Refusal] = {}
    owned: list[tuple[Candidate, UUID]] = []
    for candidate in candidates:
        owner = owners[candidate.index]
        if owner is None:
            outcomes[candidate.index] = MemberNotFound(field=("member",))
        else:
            owned.append((candidate, owner))
    placements = await _decide(owned, rule=rule, zone=programme.zone, now=now)
    posted = await _earn(placements, rule=rule, programme=programme, now=now)
    refused, earned = sorted_by_outcome(posted)
    outcomes |= refused
    placed = [p for p in placements if p.candidate.index not in refused]
    await _write(
        placed, earned=earned, source=source, rule=rule, currency=programme.currency, now=now
    )
    await qualify_for_levels(
        [
            LevelEffect(
                member_id=p.purchase.member_id,
                points=p.purchase.points,
                # What cost nothing is a gift.
                purchases=int(p.candidate.order.paid_fen > 0),
                paid_fen=p.candidate.order.paid_fen,
                placed_at=p.placed_at,
            )
            for p in placed
        ],
        programme=programme,
        now=now,
    )
    currency = programme.currency
    await announce((_event(p, source=source, currency=currency) for p in placed), now=now)
    await idempotency.remember(order_scope(source), _answers(placed), now=now)
    return outcomes | {p.candidate.index: p.purchase for p in placed}


def recorded_of(recalled: Recalled) -> Recorded:
    """What is remembered of a known order."""
    result = recalled.result
    return Recorded(UUID(result["purchase_id"]), UUID(result["member_id"]), result["points"])


def conflict(candidate: Candidate, differing: Sequence[str]) -> IdempotencyConflict:
    """The refusal of another content under an id that is taken."""
    return IdempotencyConflict(
        field=("external_id",), key=candidate.order.external_id, differing=tuple(differing)
    )


async def _decide(
    owned: Sequence[tuple[Candidate, UUID]], *, rule: EarningRule, zone: ZoneInfo, now: datetime
) -> list[_Placement]:
    """Reckon the points of each order, at its member's level before this batch."""
    owners = {owner for _, owner in owned}
    multipliers = await tiers.earning_multipliers(owners, zone=zone, now=now)
    themes = await catalogue.themes_of_products(
        line.product_code for candidate, _ in owned for line in candidate.order.lines
    )
    placements = []
    for candidate, owner in owned:
        order = candidate.order
        # A product that is not in the catalogue has no theme: it earns at the default rate.
        rates = [rate_permille(line, rule=rule, themes=themes) for line in order.lines]
        multiplier = multipliers[owner]
        points = points_earned(
            (
                EarningLine(line.amount_fen, rate)
                for line, rate in zip(order.lines, rates, strict=True)
            ),
            paid_fen=order.paid_fen,
            multiplier_permille=multiplier,
        )
        placements.append(
            _Placement(
                candidate=candidate,
                purchase=Recorded(uuid7(), owner, points),
                placed_at=order.placed_at.astimezone(UTC),
                multiplier_permille=multiplier,
                rates_permille=rates,
            )
        )
    return placements


async def _earn(
    placements: Sequence[_Placement], *, rule: EarningRule, programme: Programme, now: datetime
) -> dict[int, Outcome]:
    """Post what the orders earned; returns the outcomes by index. No points, no posting."""
    earning = [p for p in placements if p.purchase.points > 0]
    outcomes = await post(
        [
            earn_of(
                p.purchase,
                reference=p.candidate.order.external_id,
                placed_at=p.placed_at,
                rule=rule,
                zone=programme.zone,
            )
            for p in earning
        ],
        now=now,
    )
    return {p.candidate.index: outcome for p, outcome in zip(earning, outcomes, strict=True)}


async def _write(
    placed: Sequence[_Placement],
    *,
    earned: Mapping[int, Place],
    source: str,
    rule: EarningRule,
    currency: str,
    now: datetime,
) -> None:
    await _PURCHASES.insert(
        {
            "member_id": p.purchase.member_id,
            "id": p.purchase.purchase_id,
            "source": source,
            "external_id": p.candidate.order.external_id,
            "placed_at": p.placed_at,
            "recorded_at": now,
            "paid_fen": p.candidate.order.paid_fen,
            "currency": currency,
            "channel": p.candidate.order.channel,
            "shop": p.candidate.order.shop,
            "rule_code": rule.code,
            "rule_version": rule.version,
            "multiplier_permille": p.multiplier_permille,
            "points": p.purchase.points,
        }
        for p in placed
    )
    await write_lines(
        [
            line_row(p.purchase, line, rate_permille=rate, earned=earned.get(p.candidate.index))
            for p in placed
            for line, rate in zip(p.candidate.order.lines, p.rates_permille, strict=True)
        ]
    )


def _event(placement: _Placement, *, source: str, currency: str) -> Event:
    order, purchase = placement.candidate.order, placement.purchase
    return Event(
        kind="PurchaseRecorded",
        member_id=purchase.member_id,
        facts={
            "purchase_id": str(purchase.purchase_id),
            "source": source,
            "external_id": order.external_id,
            "placed_at": placement.placed_at.isoformat(),
            "paid_fen": order.paid_fen,
            "currency": currency,
            "channel": order.channel,
            "shop": order.shop,
            "points": purchase.points,
        },
    )


def _answers(
    placed: Sequence[_Placement],
) -> dict[str, tuple[Mapping[str, str], dict[str, Any]]]:
    """What is remembered of each order, by its id; sorted, so that batches lock keys alike."""
    return {
        p.candidate.order.external_id: (
            p.candidate.digests,
            {
                "purchase_id": str(p.purchase.purchase_id),
                "member_id": str(p.purchase.member_id),
                "points": p.purchase.points,
            },
        )
        for p in sorted(placed, key=lambda p: p.candidate.order.external_id)
    }
