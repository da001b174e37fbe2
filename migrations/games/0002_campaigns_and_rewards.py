"""Campaigns of partners with their budgets and disclosures, bindings, batches of rewards."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements, append_only

_MAX = 9_007_199_254_740_991


class Migration(migration.Migration):
    dependencies = [
        ("games", "0001_partners"),
        ("outbox", "0001_initial"),  # the function refuse_change
    ]

    operations = [
        Statements(
            # What is spent follows from the rewards that were applied, less those taken back.
            f"""
            CREATE TABLE game_campaign (
                id UUID NOT NULL PRIMARY KEY,
                partner_id UUID NOT NULL,
                code TEXT NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
                title_zh TEXT NOT NULL CHECK (length(title_zh) BETWEEN 1 AND 100),
                title_en TEXT NOT NULL CHECK (length(title_en) BETWEEN 1 AND 100),
                opens_at TIMESTAMPTZ NOT NULL,
                closes_at TIMESTAMPTZ NOT NULL CHECK (closes_at > opens_at),
                budget BIGINT NOT NULL CHECK (budget BETWEEN 1 AND {_MAX}),
                spent BIGINT NOT NULL DEFAULT 0
                    CONSTRAINT game_campaign_budget CHECK (spent BETWEEN 0 AND budget),
                points_per_item BIGINT NOT NULL CHECK (points_per_item BETWEEN 1 AND {_MAX}),
                points_per_member_day BIGINT NOT NULL
                    CHECK (points_per_member_day BETWEEN 1 AND {_MAX}),
                draws_prizes BOOLEAN NOT NULL,
                expiry JSONB NOT NULL,
                matures_after_days INTEGER NOT NULL CHECK (matures_after_days BETWEEN 0 AND 365),
                created_at TIMESTAMPTZ NOT NULL,
                version INTEGER NOT NULL CHECK (version > 0),
                UNIQUE (partner_id, code)
            )
            """,
            "CREATE INDEX game_campaign_page ON game_campaign (closes_at, id)",
            # What may be won under a campaign, as it was told before the first draw.
            """
            CREATE TABLE game_disclosure (
                campaign_id UUID NOT NULL REFERENCES game_campaign (id),
                version INTEGER NOT NULL CHECK (version > 0),
                prizes JSONB NOT NULL,
                frozen_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (campaign_id, version)
            )
            """,
        ),
        append_only("game_disclosure"),
        Statements(
            # What one partner alone calls a member. Ended, the name stays: a reversal may come.
            """
            CREATE TABLE game_binding (
                partner_id UUID NOT NULL,
                member_ref TEXT NOT NULL CHECK (length(member_ref) BETWEEN 16 AND 64),
                member_id UUID NOT NULL,
                bound_at TIMESTAMPTZ NOT NULL,
                unbound_at TIMESTAMPTZ,
                consent_version TEXT,
                came_with UUID,
                PRIMARY KEY (partner_id, member_ref)
            )
            """,
            # A record with which others were joined has several names, also after they are parted.
            "CREATE INDEX game_binding_member ON game_binding (member_id, partner_id)",
            # The answer to a batch, for ever.
            """
            CREATE TABLE reward_batch (
                partner_id UUID NOT NULL,
                batch_id TEXT NOT NULL CHECK (length(batch_id) BETWEEN 1 AND 128),
                digest TEXT NOT NULL,
                received_at TIMESTAMPTZ NOT NULL,
                receipts JSONB NOT NULL,
                signature TEXT NOT NULL,
                key_id TEXT NOT NULL,
                PRIMARY KEY (partner_id, batch_id)
            )
            """,
            # One reward or reversal, under the partner's own id, in effect once for ever. What was
            # refused and may be tried again stands here too, until it is.
            f"""
            CREATE TABLE reward_item (
                partner_id UUID NOT NULL,
                external_id TEXT NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
                id UUID NOT NULL,
                member_id UUID,
                paid_to UUID,
                campaign_id UUID,
                kind TEXT NOT NULL CHECK (kind IN ('GRANT', 'REVERSAL')),
                points BIGINT NOT NULL CHECK (points BETWEEN -{_MAX} AND {_MAX}),
                occurred_at TIMESTAMPTZ NOT NULL,
                received_at TIMESTAMPTZ NOT NULL,
                day DATE NOT NULL,
                reverses TEXT CHECK (length(reverses) BETWEEN 1 AND 128),
                reversed_by TEXT,
                business_reference TEXT CHECK (length(business_reference) BETWEEN 1 AND 128),
                prize_code TEXT CHECK (length(prize_code) BETWEEN 1 AND 64),
                disclosure_version INTEGER,
                status TEXT NOT NULL
                    CHECK (status IN ('APPLIED', 'DUPLICATE', 'REJECTED', 'PENDING')),
                first_status TEXT NOT NULL,
                code TEXT,
                entry_seq BIGINT CHECK (entry_seq > 0),
                batch_id TEXT NOT NULL,
                member_digest TEXT NOT NULL,
                content_digest TEXT NOT NULL,
                came_with UUID,
                PRIMARY KEY (partner_id, external_id),
                CONSTRAINT reward_item_applied CHECK (status <> 'APPLIED' OR (
                    member_id IS NOT NULL AND paid_to IS NOT NULL AND campaign_id IS NOT NULL
                    AND entry_seq IS NOT NULL AND points > 0)),
                CONSTRAINT reward_item_rejected CHECK ((status = 'REJECTED') = (code IS NOT NULL))
            )
            """,
            # What is the same business event as another one has the id of that one.
            "CREATE UNIQUE INDEX reward_item_id ON reward_item (id) WHERE status <> 'DUPLICATE'",
            # One entry of a journal is the effect of one item.
            "CREATE UNIQUE INDEX reward_item_entry ON reward_item (paid_to, entry_seq) "
            "WHERE status = 'APPLIED'",
            # One business event, one grant, under whatever id it comes.
            "CREATE UNIQUE INDEX reward_item_event ON reward_item (campaign_id, business_reference)"
            " WHERE business_reference IS NOT NULL AND kind = 'GRANT' AND status = 'APPLIED'",
            "CREATE INDEX reward_item_waiting ON reward_item (partner_id, reverses) "
            "WHERE status = 'PENDING'",
            "CREATE INDEX reward_item_of_day ON reward_item (member_id, partner_id, day) "
            "WHERE kind = 'GRANT' AND status = 'APPLIED'",
            "CREATE INDEX reward_item_of_member ON reward_item (member_id, occurred_at, id) "
            "WHERE kind = 'GRANT' AND status = 'APPLIED'",
            "CREATE INDEX reward_item_page ON reward_item (partner_id, received_at, id)",
            # What a partner granted on one day, for its cap.
            f"""
            CREATE TABLE game_day (
                partner_id UUID NOT NULL,
                day DATE NOT NULL,
                points BIGINT NOT NULL CHECK (points BETWEEN 0 AND {_MAX}),
                PRIMARY KEY (partner_id, day)
            )
            """,
        ),
    ]
