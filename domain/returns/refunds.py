"""Refunds as shops send them: values, the rules that they must keep, and what makes two the same.

Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain import idempotency
from domain.errors import (
    AmountInvalid,
    LinesInvalid,
    QuantityInvalid,
    Refusal,
)
from domain.purchases import (
    AMOUNT_FEN_MAX,
    EXTERNAL_ID_LENGTH_MAX,
    LINE_ID_LENGTH_MAX,
    LINES_MAX,
    QUANTITY_MAX,
    date_refusal,
    digestible,
    identity_invalid,
    microseconds,
    text_invalid,
)
from domain.texts import is_identity, is_storable

REFUNDS_MAX: Final = 500
"""Refunds that one call may carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """What came back of one line: how many pieces, and how much of the money was for them (fen)."""

    line_id: str
    quantity: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money that a shop gave back for an order of its own; `lines` are parts of `amount_fen`."""

    external_id: str
    order_external_id: str
    amount_fen: int
    refunded_at: datetime
    lines: Sequence[RefundLine] = ()


def refusal_of(refund: Refund, *, now: datetime) -> Refusal | None:
    """Why the refund cannot be recorded, judged by itself; None where it is sound.

    The first rule that it breaks, in this order: texts, date, amounts, lines, quantities.
    """
    return (
        _text_refusal(refund)
        or date_refusal(refund.refunded_at, field="refunded_at", now=now)
        or _amount_refusal(refund)
        or _lines_refusal(refund)
    )


def refund_digests(refund: Refund) -> dict[str, str]:
    """A digest per field, the same for the same refund; the order of the lines does not count."""
    lines = sorted(refund.lines, key=lambda line: line.line_id)
    return idempotency.digests(
        {
            "external_id": digestible(refund.external_id),
            "order_external_id": digestible(refund.order_external_id),
            "amount": digestible(refund.amount_fen),
            "refunded_at": microseconds(refund.refunded_at),
            "lines": [
                [
                    digestible(line.line_id),
                    digestible(line.quantity),
                    digestible(line.amount_fen),
                ]
                for line in lines
            ],
        }
    )


def _text_refusal(refund: Refund) -> Refusal | None:
    if not is_identity(refund.external_id, characters_max=EXTERNAL_ID_LENGTH_MAX):
        return identity_invalid(("external_id",), EXTERNAL_ID_LENGTH_MAX)
    # The order and its lines are looked for: an id from before `is_identity` is found as it is.
    if not is_storable(refund.order_external_id, characters_max=EXTERNAL_ID_LENGTH_MAX):
        return text_invalid(("order_external_id",), EXTERNAL_ID_LENGTH_MAX)
    for at, line in enumerate(refund.lines):
        if not is_storable(line.line_id, characters_max=LINE_ID_LENGTH_MAX):
            return text_invalid(("lines", str(at), "line_id"), LINE_ID_LENGTH_MAX)
    return None


def _amount_refusal(refund: Refund) -> Refusal | None:
    if not 1 <= refund.amount_fen <= AMOUNT_FEN_MAX:
        return AmountInvalid(field=("amount",), amount_fen=refund.amount_fen)
    for at, line in enumerate(refund.lines):
        if not 0 <= line.amount_fen <= AMOUNT_FEN_MAX:
            return AmountInvalid(field=("lines", str(at), "amount"), amount_fen=line.amount_fen)
    return None


def _lines_refusal(refund: Refund) -> Refusal | None:
    if len(refund.lines) > LINES_MAX:
        return LinesInvalid(field=("lines",), rule=f"at most {LINES_MAX} lines")
    if len({line.line_id for line in refund.lines}) < len(refund.lines):
        return LinesInvalid(field=("lines",), rule="every line once")
    if sum(line.amount_fen for line in refund.lines) > refund.amount_fen:
        return LinesInvalid(field=("lines",), rule="parts of the refund's amount")
    for at, line in enumerate(refund.lines):
        if not 0 <= line.quantity <= QUANTITY_MAX:
            return QuantityInvalid(field=("lines", str(at), "quantity"), quantity=line.quantity)
    return None
