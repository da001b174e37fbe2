"""Policies: who is admitted, alone and combined."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.access import Caller, CallerKind, StaffRole
from schema.policies import (
    CLIENT,
    NOBODY,
    OWNER,
    PUBLIC,
    SEES_MEMBERS,
    Policy,
    scope,
    staff,
)


def caller(kind: CallerKind, *, scopes: str = "", roles: str = "") -> Caller:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Caller(
        kind=kind,
        subject=uuid4(),
        scopes=frozenset(scopes.split()),
        roles=frozenset(roles.split()),
        session_id=None,
        issued_at=moment,
        expires_at=moment,
    )


CALLERS = {
    "anonymous": None,
    "member": caller(CallerKind.MEMBER),
    "shop": caller(CallerKind.SHOP, scopes="purchases:write"),
    "shop without scope": caller(CallerKind.SHOP),
    "partner": caller(CallerKind.PARTNER, scopes="rewards:write purchases:write"),
    "support": caller(CallerKind.STAFF, roles="support"),
    "auditor": caller(CallerKind.STAFF, roles="auditor"),
    # What a token of another kind must not gain by saying so.
    "member with scope and role": caller(
        CallerKind.MEMBER, scopes="purchases:write", roles="support"
    ),
}
MEMBERS = {"member", "member with scope and role"}


@pytest.mark.parametrize(
    ("policy", "admitted"),
    [
        (PUBLIC, set(CALLERS)),
        (NOBODY, set()),
        (OWNER, MEMBERS),
        (scope("purchases:write"), {"shop", "partner"}),
        (scope("rewards:write"), {"partner"}),
        (staff(), {"support", "auditor"}),
        (staff(StaffRole.SUPPORT), {"support"}),
        (staff(StaffRole.SUPPORT, StaffRole.AUDITOR), {"support", "auditor"}),
        (OWNER | staff(StaffRole.SUPPORT), MEMBERS | {"support"}),
        (OWNER | PUBLIC, set(CALLERS)),
        (OWNER | NOBODY, MEMBERS),
        (CLIENT, {"shop", "shop without scope", "partner"}),
        (SEES_MEMBERS, {"support", "auditor"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_policy_admits_exactly(policy: Policy, admitted: set[str]) -> None:
    assert {name for name, one in CALLERS.items() if policy.admits(one)} == admitted


def test_policies_with_the_same_grants_are_one() -> None:
    assert staff(StaffRole.ADMIN, StaffRole.SUPPORT) == staff(StaffRole.SUPPORT, StaffRole.ADMIN)
    assert hash(scope("points:hold")) == hash(scope("points:hold"))
    assert scope("points:hold") != scope("coupons:use")


def test_a_policy_names_kinds_of_callers() -> None:
    assert PUBLIC.kinds == NOBODY.kinds == frozenset()
    assert (OWNER | staff(StaffRole.ADMIN)).kinds == {CallerKind.MEMBER, CallerKind.STAFF}
    assert CLIENT.kinds == scope("points:hold").kinds == {CallerKind.SHOP, CallerKind.PARTNER}


def test_a_policy_says_what_it_needs() -> None:
    assert str(
        OWNER | scope("purchases:write") | staff(StaffRole.SUPPORT, StaffRole.ADMIN) | staff()
    ) == (
        "a token of kind member or the scope purchases:write"
        " or the staff role admin or support or a token of kind staff"
    )


def test_a_scope_that_nobody_can_hold_is_no_policy() -> None:
    with pytest.raises(ValueError, match="purchases:writ"):
        scope("purchases:writ")
