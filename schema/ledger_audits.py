"""The audit of the ledger, as staff asks for it."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain.access import StaffRole
from domain.ledger import VIOLATIONS_TOLD, Violation
from schema.cost import Cost
from schema.fields import computed, field, object_type, view
from schema.node import encode_global_id
from schema.policies import staff
from schema.scalars import Points

READS_AUDITS = staff(StaffRole.AUDITOR)

AUDITS = Cost(own=600)
"""It takes half of a request's time: two in one operation are refused."""


@object_type(policy=READS_AUDITS)
class LedgerViolation:
    """A rule of the ledger that an account breaks."""

    rule: str
    """Its name, for example `sum`, `lots`, `holds`, `chain`; further rules may come."""

    detail: str
    """How it is broken, in English."""

    @computed(READS_AUDITS)
    def member_id(self) -> strawberry.ID:
        """The global id of the member whose account it is."""
        violation: Violation = view(self)
        return encode_global_id("Member", violation.member_id)


@object_type(policy=READS_AUDITS)
class LedgerAudit:
    """What an audit of the ledger found, just now."""

    ran_at: datetime
    """When it was asked for."""

    accounts_checked: int
    """How many accounts were checked."""

    entries_checked: Points
    """How many entries of their journals were read, and their hashes followed."""

    complete: bool
    """Whether every account was checked whole. Where time did not suffice, the next audit goes on
    with the others; those with very long histories are left to the nightly audit."""

    violations: list[LedgerViolation] = field(READS_AUDITS, cost=Cost(items=VIOLATIONS_TOLD))
    """What is broken; at most 100 are told. The accounts are frozen for debits."""

    violations_found: int
    """How many there are in all."""
