"""Access policies: who may read a field, declared beside it, denied by default.

A policy is one or more grants, any of which suffices: `OWNER | staff(StaffRole.SUPPORT)`. Role and
scope are checked once per document, before anything runs (see `schema.documents`); a field that
`@include` or `@skip` would leave out counts all the same. Whose object it is, is the matter of the
few entries (`me`, `partner`, `staff`, `node`), which resolve only what the caller owns.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.access import Caller, CallerKind, Scope, StaffRole

POLICY = "policy"
"""The key of a field's policy in its metadata."""

VERSIONED = "versioned"
"""The key of whether a field that reads something is covered by `domain.revisions`."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Admits callers of one of `kinds` who hold `scope` and one of `roles`, where these are set."""

    kinds: frozenset[CallerKind]
    scope: str | None = None
    roles: frozenset[str] = frozenset()

    def admits(self, caller: Caller) -> bool:
        """Whether this grant lets the caller in."""
        return (
            caller.kind in self.kinds
            and (self.scope is None or self.scope in caller.scopes)
            and (not self.roles or not self.roles.isdisjoint(caller.roles))
        )

    def __str__(self) -> str:
        if self.scope is not None:
            return f"the scope {self.scope}"
        if self.roles:
            return "the staff role " + " or ".join(sorted(self.roles))
        return "a token of kind " + (" or ".join(sorted(self.kinds)) or "none")


@dataclass(frozen=True, slots=True)
class Policy:
    """Any one of the grants suffices; no grant at all means that everybody may."""

    grants: tuple[Grant, ...] = ()

    @property
    def is_public(self) -> bool:
        """Whether the field may be read without a token."""
        return not self.grants

    @property
    def kinds(self) -> frozenset[CallerKind]:
        """The kinds of callers that it names; none where everybody may."""
        return frozenset(kind for grant in self.grants for kind in grant.kinds)

    def admits(self, caller: Caller | None) -> bool:
        """Whether the caller, or the anonymous one when None, may read the field."""
        if self.is_public:
            return True
        return caller is not None and any(grant.admits(caller) for grant in self.grants)

    def __or__(self, other: Policy) -> Policy:
        if self.is_public or other.is_public:
            return PUBLIC
        return Policy(grants=self.grants + other.grants)

    def __str__(self) -> str:
        return " or ".join(str(grant) for grant in self.grants) or "nothing"


PUBLIC = Policy()
"""Everybody, with or without a token."""

OWNER = Policy(grants=(Grant(kinds=frozenset({CallerKind.MEMBER})),))
"""A member; the entry that leads here resolves only what is the member's own."""


NOBODY = Policy(grants=(Grant(kinds=frozenset()),))
"""What a field without a policy counts as."""


def scope(name: str) -> Policy:
    """A shop or a partner whose token carries the scope; ValueError where there is no such one."""
    kinds = frozenset({CallerKind.SHOP, CallerKind.PARTNER})
    return Policy(grants=(Grant(kinds=kinds, scope=Scope(name).value),))


def staff(*roles: StaffRole) -> Policy:
    """A member of staff with one of the roles; with any role, or none, when none is named."""
    return Policy(grants=(Grant(kinds=frozenset({CallerKind.STAFF}), roles=frozenset(roles)),))


CLIENT = Policy(grants=(Grant(kinds=frozenset({CallerKind.SHOP, CallerKind.PARTNER})),))
"""A shop or a partner, whatever its token allows."""

SEES_MEMBERS = staff(StaffRole.SUPPORT, StaffRole.MARKETING, StaffRole.FINANCE, StaffRole.AUDITOR)
"""Staff who may look a member up."""

SEES_POINTS = staff(StaffRole.SUPPORT, StaffRole.FINANCE, StaffRole.AUDITOR)
"""Staff who may see what points a member has, and whence."""

SEES_PARTNERS = staff(StaffRole.ADMIN, StaffRole.MARKETING, StaffRole.FINANCE)
"""Who makes partner platforms, runs campaigns with them, and reconciles with them."""
