"""What is sent outside of the inbox, and how often members allowed WeChat's messages."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_STATES = "'WAITING', 'SENT', 'PERHAPS_SENT', 'FAILED', 'STOPPED'"


class Migration(migration.Migration):
    dependencies = [("notifications", "0003_inbox")]

    operations = [
        Statements(
            # A notification by one channel. While it is claimed `next_at` is the end of the lease;
            # an attempt that was begun and whose end nobody wrote leaves `begun` above `attempts`.
            f"""
            CREATE TABLE notification_delivery (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                notification_id UUID NOT NULL,
                channel TEXT NOT NULL CHECK (channel IN ('SUBSCRIBE_MESSAGE', 'EMAIL', 'SMS')),
                state TEXT NOT NULL CHECK (state IN ({_STATES})),
                attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
                begun INTEGER NOT NULL DEFAULT 0,
                created_at TIMESTAMPTZ NOT NULL,
                next_at TIMESTAMPTZ,
                lease UUID,
                last_at TIMESTAMPTZ,
                reason TEXT CHECK (length(reason) BETWEEN 1 AND 64),
                sent_at TIMESTAMPTZ,
                came_with UUID,
                PRIMARY KEY (member_id, id),
                UNIQUE (id),
                UNIQUE (notification_id, channel),
                CONSTRAINT notification_delivery_begun CHECK (begun >= attempts),
                CONSTRAINT notification_delivery_waits
                    CHECK ((state = 'WAITING') = (next_at IS NOT NULL)),
                CONSTRAINT notification_delivery_done
                    CHECK ((state IN ('SENT', 'PERHAPS_SENT')) = (sent_at IS NOT NULL))
            )
            """,
            "CREATE INDEX notification_delivery_due ON notification_delivery (channel, next_at) "
            "WHERE state = 'WAITING'",
            "CREATE INDEX notification_delivery_old ON notification_delivery (created_at)",
            # What staff looks for, in months of what was sent.
            "CREATE INDEX notification_delivery_not_sent ON notification_delivery (state, id) "
            "WHERE state <> 'SENT'",
            "CREATE INDEX notification_delivery_channel ON notification_delivery (channel, id)",
            # What a member allowed in a mini-program: so many messages of a template.
            """
            CREATE TABLE subscribe_consent (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                app_id TEXT NOT NULL CHECK (length(app_id) BETWEEN 1 AND 64),
                openid TEXT NOT NULL CHECK (length(openid) BETWEEN 1 AND 128),
                template_id TEXT NOT NULL CHECK (length(template_id) BETWEEN 1 AND 128),
                remaining INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND 100),
                updated_at TIMESTAMPTZ NOT NULL,
                came_with UUID,
                PRIMARY KEY (member_id, id),
                UNIQUE (app_id, openid, template_id)
            )
            """,
        ),
    ]
