"""What is sent to partners: deliveries with what became of them, and endpoints that are gone."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements


class Migration(migration.Migration):
    dependencies = [("games", "0004_reconciliation")]

    operations = [
        Statements(
            # One message to one partner, the same bytes and the same id at every attempt. While it
            # is claimed `next_at` is the end of the lease.
            """
            CREATE TABLE webhook_delivery (
                id UUID NOT NULL PRIMARY KEY,
                partner_id UUID NOT NULL,
                type TEXT NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
                payload TEXT NOT NULL,
                state TEXT NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
                attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
                created_at TIMESTAMPTZ NOT NULL,
                next_at TIMESTAMPTZ,
                lease UUID,
                last_at TIMESTAMPTZ,
                last_status INTEGER,
                last_error TEXT CHECK (length(last_error) BETWEEN 1 AND 64),
                delivered_at TIMESTAMPTZ,
                CONSTRAINT webhook_delivery_waits
                    CHECK ((state = 'PENDING') = (next_at IS NOT NULL)),
                CONSTRAINT webhook_delivery_done
                    CHECK (state <> 'DELIVERED' OR delivered_at IS NOT NULL)
            )
            """,
            "CREATE INDEX webhook_delivery_due ON webhook_delivery (partner_id, next_at) "
            "WHERE state = 'PENDING'",
            "CREATE INDEX webhook_delivery_page ON webhook_delivery (partner_id, id)",
            "CREATE INDEX webhook_delivery_old ON webhook_delivery (created_at)",
            # An address that answered that it is gone; another address of the partner counts.
            """
            CREATE TABLE webhook_gone (
                partner_id UUID NOT NULL PRIMARY KEY,
                url TEXT NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
                disabled_at TIMESTAMPTZ NOT NULL
            )
            """,
        ),
    ]
