"""What an account may hold: scopes of shops and partners (`purchases:write`), roles of staff.

They are kept as OAuth writes scopes: words with one space between, in order. Both are closed lists,
so that a misspelt one is refused rather than held for nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from domain.access.callers import CallerKind
from domain.errors import InvalidInput
from domain.texts import clean_text

CODE_CHARACTERS_MAX: Final = 64
_NAME_CHARACTERS_MAX: Final = 128


class Scope(StrEnum):
    """What a shop or a partner platform may do. No scope contains another."""

    PURCHASES_WRITE = "purchases:write"
    """Reports orders (`recordPurchases`), also in large batches."""
    POINTS_HOLD = "points:hold"
    """Sets points aside at the till, and takes or releases them."""
    COUPONS_USE = "coupons:use"
    """Reserves coupons and uses them up."""
    REWARDS_WRITE = "rewards:write"
    """Reports rewards (`pushRewards`), also in large batches."""
    REWARDS_READ = "rewards:read"
    """Reads the rewards that it reported, to reconcile."""


class StaffRole(StrEnum):
    """What a person of the staff may do. No role contains another: who does two jobs holds two."""

    SUPPORT = "support"
    """Helps members: looks one up with points and journal, answers tickets, asks for corrections
    of points."""
    MARKETING = "marketing"
    """Runs rewards, campaigns and surveys, reads reports; sees who a member is, not the points."""
    FINANCE = "finance"
    """Answers for the points: approves corrections, reconciles with partners."""
    AUDITOR = "auditor"
    """Reads the audit log and the audit of the ledger, and looks members up to follow them."""
    ADMIN = "admin"
    """Sets the programme up and makes partners; sees no member."""


def clean_name(name: str) -> str:
    """The name of an account, unchanged, or InvalidInput."""
    return clean_text(name, field=("name",), characters_min=1, characters_max=_NAME_CHARACTERS_MAX)


def clean_grants(
    grants: frozenset[str], *, kind: CallerKind, field: tuple[str, ...] = ("grants",)
) -> frozenset[str]:
    """The scopes, or the roles of staff, unchanged, or InvalidInput."""
    if kind is CallerKind.STAFF:
        if not grants <= set(StaffRole):
            raise InvalidInput(field=field, rule=f"roles of {', '.join(StaffRole)}")
        return grants
    if not grants <= set(Scope):
        raise InvalidInput(field=field, rule=f"scopes of {', '.join(Scope)}")
    return grants


def words(grants: frozenset[str]) -> str:
    """The grants as they are kept."""
    return " ".join(sorted(grants))


def from_words(kept: str) -> frozenset[str]:
    """The grants that `words` wrote."""
    return frozenset(kept.split())
