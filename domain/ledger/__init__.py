"""The points ledger: an append-only, hash-chained journal per member, with lots.

`post` is the one way in which points move; `balance` and `journal` read; `verify_account` proves.
The contract, with its words (entry, lot, draw, pin, hold, debt), is docs/ledger.md.
"""

from domain.ledger.entries import (
    POINTS_MAX,
    Command,
    Earn,
    EntryKind,
    Key,
    Posted,
    Redeem,
    Source,
)
from domain.ledger.expiry import (
    NEVER,
    AfterDays,
    AfterMonths,
    EndOfYear,
    ExpiryPolicy,
    Never,
    add_months,
    expires_at,
    local_midnight,
    policy_from_json,
    policy_to_json,
)
from domain.ledger.posting import BATCH_MAX, Outcome, post, post_one
from domain.ledger.reading import (
    DUE_MOMENTS,
    EXPIRING_SOON,
    Balance,
    ExpiringPoints,
    JournalEntry,
    balance,
    entry,
    journal,
)
from domain.ledger.store import lock_accounts
from domain.ledger.verification import Violation, verify_account

__all__ = [
    "BATCH_MAX",
    "DUE_MOMENTS",
    "EXPIRING_SOON",
    "NEVER",
    "POINTS_MAX",
    "AfterDays",
    "AfterMonths",
    "Balance",
    "Command",
    "Earn",
    "EndOfYear",
    "EntryKind",
    "ExpiringPoints",
    "ExpiryPolicy",
    "JournalEntry",
    "Key",
    "Never",
    "Outcome",
    "Posted",
    "Redeem",
    "Source",
    "Violation",
    "add_months",
    "balance",
    "entry",
    "expires_at",
    "journal",
    "local_midnight",
    "lock_accounts",
    "policy_from_json",
    "policy_to_json",
    "post",
    "post_one",
    "verify_account",
]
