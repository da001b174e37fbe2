"""Auditing the ledger: accounts are verified by what is stored, and frozen where they break a rule.

Nothing here uses the code that wrote the rows, so that its faults show. `audit_ledger` walks over
accounts in batches, `verify_accounts` checks some, `unfreeze_account` releases one that is mended.
"""

from domain.ledger.auditing.audits import (
    VIOLATIONS_TOLD,
    LedgerAudit,
    Walk,
    audit_by_hand,
    audit_ledger,
    entries_to_audit,
)
from domain.ledger.auditing.freezing import StillViolated, frozen_accounts, unfreeze_account
from domain.ledger.auditing.verification import Checked, verify_account, verify_accounts
from domain.ledger.auditing.violations import Violation

__all__ = [
    "VIOLATIONS_TOLD",
    "Checked",
    "LedgerAudit",
    "StillViolated",
    "Violation",
    "Walk",
    "audit_by_hand",
    "audit_ledger",
    "entries_to_audit",
    "frozen_accounts",
    "unfreeze_account",
    "verify_account",
    "verify_accounts",
]
