"""Plans: what an operation costs, as sums that are made once and reckoned for each request.

A plan is a list of selections, inner ones first, so that each is reckoned once however many places
share it. What does not depend on the request is a number from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schema.cost_amounts import Amount, Conditions, Variables, admitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A field in its place: `key` names it in the answer.

    It is there when one of `alternatives` holds, always when there are none. `own` is added once,
    `each` for each of `items`. The objects that it gives cost what the selection `inner` does: one
    of them, or as many as `length` says. A leaf has no `inner`.
    """

    key: str
    alternatives: tuple[Conditions, ...] = ()
    own: int = 0
    each: int = 0
    items: Amount | None = None
    inner: int | None = None
    length: Amount | None = None

    @property
    def varies(self) -> bool:
        """Whether a request can change what it costs, its objects apart."""
        amounts = (self.items if self.each else None, self.length)
        return bool(self.alternatives) or any(one and one.known is None for one in amounts)

    def itself(self, amount: Callable[[Amount], int]) -> int:
        """What the field costs where it is there, its objects apart."""
        if not self.each or self.items is None:
            return self.own
        return self.own + self.each * amount(self.items)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of one object: `weight` for itself, then its positions.

    `known` is the sum where no request can change it; `fixed` is the known part of it, `varying`
    make the rest. `is_even` says that every object costs `known`, whatever the answer has.
    """

    weight: int
    positions: tuple[Position, ...]
    fixed: int
    varying: tuple[Position, ...]
    known: int | None
    is_even: bool


def selection_of(
    weight: int, positions: Sequence[Position], *, before: Sequence[Selection], of_one_type: bool
) -> Selection:
    """The selection of these positions, whose inner selections are among those made before.

    `of_one_type` says that every object of it has all the positions.
    """
    fixed, varying = weight, []
    is_even = of_one_type
    for one in positions:
        inner = None if one.inner is None else before[one.inner]
        is_even = is_even and one.length is None and (inner is None or inner.is_even)
        if one.varies or (inner is not None and inner.known is None):
            varying.append(one)
        else:
            objects = 0 if inner is None else inner.known or 0
            fixed += one.itself(_known) + objects * (_known(one.length) if one.length else 1)
    return Selection(
        weight=weight,
        positions=tuple(one for one in positions if one.inner is not None or one.own or one.each),
        fixed=fixed,
        varying=tuple(varying),
        known=None if varying else fixed,
        is_even=is_even and not varying,
    )


def _known(amount: Amount) -> int:
    assert amount.known is not None, "the position does not vary"
    return amount.known


@dataclass(frozen=True, slots=True)
class CostPlan:
    """The cost of one operation: `selections`, the last of which is the operation's own.

    `defaults` are those of its variables.
    """

    selections: tuple[Selection, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> int | None:
        """The cost, when no request can change it."""
        return self.selections[-1].known

    @property
    def least(self) -> int:
        """Less than this no request can make it."""
        return self._reckoned(None, lambda amount: amount.least)

    def requested(self, variables: Variables | None) -> int:
        """The most that the operation can cost with these variables."""
        if self.known is not None:
            return self.known
        values = {**self.defaults, **(variables or {})}
        return self._reckoned(values, lambda amount: amount.of(values))

    def actual(self, data: Mapping[str, Any], variables: Variables | None) -> int:
        """What the operation did cost, counted from its answer: lists are as long as they are.

        What was asked for and is null costs no object, unless it stands where nothing else can
        differ: there it is not looked at.
        """
        own = self.selections[-1]
        if own.known is not None and own.is_even:
            return own.known
        values = {**self.defaults, **(variables or {})}
        return self._counted(own, data, lambda amount: amount.of(values))

    def _reckoned(self, values: Variables | None, amount: Callable[[Amount], int]) -> int:
        """The sum. Without values nothing that depends on them is there."""
        totals: list[int] = []
        for selection in self.selections:
            total = selection.fixed
            for one in selection.varying:
                if not one.alternatives or (values and admitted(one.alternatives, values)):
                    objects = 0 if one.inner is None else totals[one.inner]
                    total += one.itself(amount)
                    total += objects * (amount(one.length) if one.length else 1)
            totals.append(total)
        return totals[-1]

    def _counted(
        self, selection: Selection, value: Mapping[str, Any], amount: Callable[[Amount], int]
    ) -> int:
        total = selection.weight
        for one in selection.positions:
            if one.key not in value:
                continue
            total += one.itself(amount)
            given = value[one.key]
            if one.inner is None or given is None:
                continue
            inner = self.selections[one.inner]
            objects = given if isinstance(given, list) else (given,)
            if inner.is_even and inner.known is not None:
                total += len(objects) * inner.known
            else:
                total += sum(
                    self._counted(inner, each, amount) for each in objects if each is not None
                )
        return total
