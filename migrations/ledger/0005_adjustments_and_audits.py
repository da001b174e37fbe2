"""Adjustments by staff, and how far each account was audited."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_MAX = 2**53 - 1


class Migration(migration.Migration):
    dependencies = [("ledger", "0004_pages_and_transfers"), ("ledger", "0003_snapshots_and_due")]

    operations = [
        Statements(
            f"""
            CREATE TABLE points_adjustment (
                id UUID NOT NULL PRIMARY KEY,
                member_id UUID NOT NULL,
                points BIGINT NOT NULL
                    CHECK (points <> 0 AND points BETWEEN -{_MAX} AND {_MAX}),
                reason TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
                status TEXT NOT NULL CHECK (status IN ('PENDING', 'APPLIED')),
                requested_by UUID NOT NULL,
                requester TEXT NOT NULL,
                requested_at TIMESTAMPTZ NOT NULL,
                approved_by UUID,
                approver TEXT,
                applied_at TIMESTAMPTZ,
                entry_seq BIGINT,
                CONSTRAINT points_adjustment_applied CHECK (
                    (status = 'APPLIED') = (entry_seq IS NOT NULL)
                    AND (entry_seq IS NULL) = (applied_at IS NULL)
                ),
                CONSTRAINT points_adjustment_approved CHECK (
                    (approved_by IS NULL) = (approver IS NULL)
                    AND (approved_by IS NULL OR status = 'APPLIED')
                ),
                CONSTRAINT points_adjustment_second CHECK (
                    approved_by IS NULL OR approved_by <> requested_by
                )
            )
            """,
            # Approvers read what waits, oldest first.
            "CREATE INDEX points_adjustment_pending ON points_adjustment (requested_at, id) "
            "WHERE status = 'PENDING'",
            # What one person adjusted alone for one member lately.
            "CREATE INDEX points_adjustment_alone ON points_adjustment "
            "(member_id, requested_by, applied_at) WHERE approved_by IS NULL",
            # The audit compares each adjustment with the entry that it made.
            "CREATE UNIQUE INDEX points_adjustment_entry ON points_adjustment "
            "(member_id, entry_seq) WHERE entry_seq IS NOT NULL",
            # How far an account was found sound: an audit of what changed goes on from there.
            f"""
            CREATE TABLE points_audited (
                member_id UUID NOT NULL PRIMARY KEY,
                seq BIGINT NOT NULL CHECK (seq >= 0),
                hash BYTEA NOT NULL CHECK (length(hash) = 32),
                available BIGINT NOT NULL CHECK (available BETWEEN 0 AND {_MAX}),
                pending BIGINT NOT NULL CHECK (pending BETWEEN 0 AND {_MAX}),
                held BIGINT NOT NULL CHECK (held BETWEEN 0 AND {_MAX}),
                debt BIGINT NOT NULL CHECK (debt BETWEEN 0 AND {_MAX}),
                audited_at TIMESTAMPTZ NOT NULL
            )
            """,
            # Where a complete audit stands that was cut off: the next one goes on there.
            """
            CREATE TABLE points_audit_place (
                walk TEXT NOT NULL PRIMARY KEY CHECK (length(walk) BETWEEN 1 AND 64),
                slot_at TIMESTAMPTZ NOT NULL,
                after_member UUID,
                finished BOOLEAN NOT NULL
            )
            """,
            # Whoever watches asks how many accounts are frozen.
            "CREATE INDEX points_account_frozen ON points_account (member_id) "
            "WHERE frozen_at IS NOT NULL",
        ),
    ]
