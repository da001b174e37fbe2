"""The points ledger: an append-only, hash-chained journal per member, with lots.

`post` is the one way in which points move; `balance` and `journal` read; `verify_account` proves.
The contract, with its words (entry, lot, draw, pin, hold, debt), is docs/ledger.md.
"""

from domain.ledger.adjustments import (
    Adjustment,
    AdjustmentRules,
    AdjustmentStatus,
    AdjustPoints,
    ApproveAdjustment,
    adjust_points,
    approve_adjustment,
    pending_adjustments,
)
from domain.ledger.auditing import (
    VIOLATIONS_TOLD,
    Checked,
    LedgerAudit,
    StillViolated,
    Violation,
    Walk,
    audit_by_hand,
    audit_ledger,
    entries_to_audit,
    frozen_accounts,
    unfreeze_account,
    verify_account,
    verify_accounts,
)
from domain.ledger.book import Books
from domain.ledger.commands import Command, Earn, GiveBack, Key, Posted, Redeem
from domain.ledger.entries import POINTS_MAX, EntryKind, HoldState, Source
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
from domain.ledger.holdings import HeldLot, Holdings, holdings
from domain.ledger.holds import (
    HOLD_MINUTES,
    HOLD_MINUTES_MAX,
    Captured,
    CapturePoints,
    HoldPoints,
    PointsHold,
    ReleasePoints,
    capture_points,
    hold_points,
    release_points,
)
from domain.ledger.member_tables import MEMBER_TABLES
from domain.ledger.merges import AccountsMerged, merge_accounts, part_accounts
from domain.ledger.naming import lock_named
from domain.ledger.notes import erase_notes_given
from domain.ledger.pages import EntryLot, JournalEntry, entries_of, entry, journal, lots_of
from domain.ledger.posting import BATCH_MAX, Outcome, post, post_one
from domain.ledger.reading import (
    DUE_COLUMNS,
    DUE_MOMENTS,
    EXPIRING_SOON,
    Balance,
    ExpiringPoints,
    balance,
)
from domain.ledger.store import lock_accounts
from domain.ledger.sweeping import Swept, accounts_due, sweep
from domain.ledger.time_travel import (
    REASONS_MAX,
    LookBack,
    PointsAt,
    PointsReason,
    look_back,
)
from domain.ledger.timeline import TIMELINE
from domain.ledger.transfers import TransferLimits, TransferPoints, transfer_points

__all__ = [
    "BATCH_MAX",
    "DUE_COLUMNS",
    "DUE_MOMENTS",
    "EXPIRING_SOON",
    "HOLD_MINUTES",
    "HOLD_MINUTES_MAX",
    "MEMBER_TABLES",
    "NEVER",
    "POINTS_MAX",
    "REASONS_MAX",
    "TIMELINE",
    "VIOLATIONS_TOLD",
    "AccountsMerged",
    "AdjustPoints",
    "Adjustment",
    "AdjustmentRules",
    "AdjustmentStatus",
    "AfterDays",
    "AfterMonths",
    "ApproveAdjustment",
    "Balance",
    "Books",
    "CapturePoints",
    "Captured",
    "Checked",
    "Command",
    "Earn",
    "EndOfYear",
    "EntryKind",
    "EntryLot",
    "ExpiringPoints",
    "ExpiryPolicy",
    "GiveBack",
    "HeldLot",
    "HoldPoints",
    "HoldState",
    "Holdings",
    "JournalEntry",
    "Key",
    "LedgerAudit",
    "LookBack",
    "Never",
    "Outcome",
    "PointsAt",
    "PointsHold",
    "PointsReason",
    "Posted",
    "Redeem",
    "ReleasePoints",
    "Source",
    "StillViolated",
    "Swept",
    "TransferLimits",
    "TransferPoints",
    "Violation",
    "Walk",
    "accounts_due",
    "add_months",
    "adjust_points",
    "approve_adjustment",
    "audit_by_hand",
    "audit_ledger",
    "balance",
    "capture_points",
    "entries_of",
    "entries_to_audit",
    "entry",
    "erase_notes_given",
    "expires_at",
    "frozen_accounts",
    "hold_points",
    "holdings",
    "journal",
    "local_midnight",
    "lock_accounts",
    "lock_named",
    "look_back",
    "lots_of",
    "merge_accounts",
    "part_accounts",
    "pending_adjustments",
    "policy_from_json",
    "policy_to_json",
    "post",
    "post_one",
    "release_points",
    "sweep",
    "transfer_points",
    "unfreeze_account",
    "verify_account",
    "verify_accounts",
]
