"""Trained models, the lists that were computed with them, and whose lists are to be anew."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_STATUSES = "'TRAINING', 'ACTIVE', 'KEPT', 'FAILED'"
_LISTS = "'BUY_AGAIN', 'DISCOVER', 'AFTER_PURCHASE', 'REWARDS', 'LETTERS'"


class Migration(migration.Migration):
    dependencies = [("recommendations", "0003_came_with")]

    operations = [
        Statements(
            f"""
            CREATE TABLE recommendation_model (
                version BIGINT NOT NULL PRIMARY KEY CHECK (version > 0),
                status TEXT NOT NULL CHECK (status IN ({_STATUSES})),
                method TEXT NOT NULL CHECK (method IN ('ITEM_ITEM', 'EASE')),
                as_of TIMESTAMPTZ NOT NULL,
                started_at TIMESTAMPTZ NOT NULL,
                renewed_at TIMESTAMPTZ NOT NULL,
                finished_at TIMESTAMPTZ,
                settings JSONB NOT NULL,
                figures JSONB,
                CHECK ((finished_at IS NULL) = (status = 'TRAINING'))
            )
            """,
            # Readers find one model whatever happens, and of two trainings one is refused.
            "CREATE UNIQUE INDEX recommendation_model_active ON recommendation_model (status) "
            "WHERE status = 'ACTIVE'",
            "CREATE UNIQUE INDEX recommendation_model_training ON recommendation_model (status) "
            "WHERE status = 'TRAINING'",
            # The trained model, whole: what lists are computed with until the next one.
            """
            CREATE TABLE recommendation_item (
                version BIGINT NOT NULL REFERENCES recommendation_model (version),
                product_code TEXT NOT NULL CHECK (length(product_code) BETWEEN 1 AND 64),
                popularity DOUBLE PRECISION NOT NULL CHECK (popularity >= 0),
                theme_code TEXT CHECK (length(theme_code) BETWEEN 1 AND 64),
                theme_share DOUBLE PRECISION NOT NULL CHECK (theme_share >= 0),
                neighbors JSONB NOT NULL,
                PRIMARY KEY (version, product_code)
            )
            """,
            # It refers to no version: to delete one would look through the lists of all members.
            f"""
            CREATE TABLE recommendation_list (
                member_id UUID NOT NULL,
                version BIGINT NOT NULL CHECK (version > 0),
                list TEXT NOT NULL CHECK (list IN ({_LISTS})),
                items JSONB NOT NULL,
                computed_at TIMESTAMPTZ NOT NULL,
                PRIMARY KEY (member_id, version, list)
            )
            """,
            # `mark` is another one with each reason, so that one that comes while lists are
            # computed is seen.
            # `computed_with`: done by that model, and kept as long as its successor is trained.
            """
            CREATE TABLE recommendation_due (
                member_id UUID NOT NULL PRIMARY KEY,
                since TIMESTAMPTZ NOT NULL,
                mark UUID NOT NULL,
                computed_with BIGINT CHECK (computed_with > 0)
            )
            """,
            "CREATE INDEX recommendation_due_since ON recommendation_due (since, member_id)",
        ),
    ]
