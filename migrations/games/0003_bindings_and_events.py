"""Tokens with which bindings reach a partner; what happened in games, and what it comes to."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_MAX = 9_007_199_254_740_991


class Migration(migration.Migration):
    dependencies = [("games", "0002_campaigns_and_rewards")]

    operations = [
        Statements(
            # What a game's page holds for minutes; the token itself is nowhere.
            """
            CREATE TABLE game_bind_token (
                token_hash TEXT NOT NULL PRIMARY KEY CHECK (length(token_hash) = 64),
                partner_id UUID NOT NULL,
                member_ref TEXT NOT NULL,
                member_id UUID NOT NULL,
                expires_at TIMESTAMPTZ NOT NULL,
                came_with UUID
            )
            """,
            "CREATE INDEX game_bind_token_member ON game_bind_token (member_id)",
            "CREATE INDEX game_bind_token_expiry ON game_bind_token (expires_at)",
            # What a partner told, so that it counts once. Who a visitor is cannot be told from it.
            """
            CREATE TABLE game_event (
                partner_id UUID NOT NULL,
                external_id TEXT NOT NULL CHECK (length(external_id) BETWEEN 1 AND 128),
                campaign_id UUID NOT NULL,
                kind TEXT NOT NULL CHECK (kind IN ('VISIT', 'PLAY', 'FINISH', 'SHARE')),
                visitor UUID NOT NULL,
                at TIMESTAMPTZ NOT NULL,
                recorded_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (partner_id, external_id)
            )
            """,
            "CREATE INDEX game_event_recorded ON game_event (recorded_at)",
            # What became of each visitor of a campaign, as far as it is known.
            """
            CREATE TABLE game_visitor (
                campaign_id UUID NOT NULL,
                visitor UUID NOT NULL,
                first_at TIMESTAMPTZ NOT NULL,
                played BOOLEAN NOT NULL,
                member_id UUID,
                is_new BOOLEAN NOT NULL,
                bought BOOLEAN NOT NULL,
                came_with UUID,
                PRIMARY KEY (campaign_id, visitor),
                CONSTRAINT game_visitor_known
                    CHECK (member_id IS NOT NULL OR NOT is_new AND NOT bought)
            )
            """,
            "CREATE INDEX game_visitor_member ON game_visitor (member_id) "
            "WHERE member_id IS NOT NULL",
            # What a funnel counts: members, each once, whatever they visited with.
            "CREATE INDEX game_visitor_new ON game_visitor (campaign_id, member_id) WHERE is_new",
            "CREATE INDEX game_visitor_buyer ON game_visitor (campaign_id, member_id) WHERE bought",
            # How many visitors a campaign has: the rows above, counted as they were written.
            f"""
            CREATE TABLE game_funnel (
                campaign_id UUID NOT NULL PRIMARY KEY,
                visitors BIGINT NOT NULL CHECK (visitors BETWEEN 0 AND {_MAX}),
                players BIGINT NOT NULL CHECK (players BETWEEN 0 AND visitors)
            )
            """,
        ),
    ]
