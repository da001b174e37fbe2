"""Terms: why a member has a level, and until when. Decided purely.

A member may hold several at once, gold since December over silver since March. The highest is their
level; when it ends they have the next one that stands by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from domain.tiers.criteria import Criteria


class TermKind(StrEnum):
    """What a term rests on."""

    QUALIFIED = "QUALIFIED"
    """Purchases: a refund of them may lower or end it."""
    IMPORTED = "IMPORTED"
    """It came along from another system, and rests on nothing that we have."""
    GRANTED = "GRANTED"
    """Staff gave it, for a reason and for a time. It is not reviewed: it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One level that a member holds.

    `keep_until` is exclusive: until then it holds whatever happens but a refund of what it rests
    on. `grace_until` is set from a review that was not passed, where the rules give grace: the
    level goes on until then. `asked` is what the level asked when it was reached; `noticed` whether
    its notice was decided. `came_with` is the merge that brought it.
    """

    id: UUID
    level_code: str
    kind: TermKind
    since: datetime
    keep_until: datetime
    keep_after_day: date
    basis_after_day: date
    asked: Criteria
    grace_until: datetime | None = None
    noticed: bool = False
    reason: str | None = None
    came_with: UUID | None = None

    @property
    def ends_at(self) -> datetime:
        """When it ends unless something is earned."""
        return self.grace_until or self.keep_until

    @property
    def earned(self) -> bool:
        """Whether what is reached is measured against it: all but what staff gave."""
        return self.kind is not TermKind.GRANTED


def joined(terms: Iterable[Term]) -> dict[UUID, Term]:
    """The terms by id; those of one level, kind and origin are one: since the earlier, until the
    later, resting on all that any of them rested on."""
    found: dict[tuple[object, ...], Term] = {}
    for term in sorted(terms, key=lambda one: (one.since, one.id)):
        own = term.id if term.kind is TermKind.GRANTED else None
        key = (term.level_code, term.kind, term.came_with, own)
        other = found.get(key)
        found[key] = term if other is None else _join(other, term)
    return {term.id: term for term in found.values()}


def _join(older: Term, newer: Term) -> Term:
    longer, shorter = (newer, older) if newer.keep_until >= older.keep_until else (older, newer)
    return replace(
        longer,
        id=older.id,
        since=older.since,
        basis_after_day=min(longer.basis_after_day, shorter.basis_after_day),
    )


def highest(terms: Iterable[Term], ranks: Mapping[str, int]) -> list[Term]:
    """The terms of the highest level, which are the member's level; none at the base."""
    held = list(terms)
    top = max((ranks[term.level_code] for term in held), default=0)
    return [term for term in held if ranks[term.level_code] == top]
