"""Two records of one person become one; what came with the other says so, for a day's undoing."""

from tortoise.migrations import migration

from domain.storage.migration_operations import Statements

_REASONS = "CHECK (revoked_because IN ('signed_out', 'signed_out_everywhere', 'reuse', 'merged'))"
_MOVED = (
    "member_identity",
    "member_phone",
    "member_interest",
    "member_consent",
    "member_note",
    "service_contact",
    "timeline_item",
)


class Migration(migration.Migration):
    dependencies = [("members", "0003_records")]

    operations = [
        Statements(
            # No foreign key: a person who is erased takes all their records along, one by one.
            "ALTER TABLE member ADD COLUMN merged_into UUID",
            "CREATE INDEX member_merged ON member (merged_into) WHERE merged_into IS NOT NULL",
            """
            CREATE TABLE member_merge (
                id UUID NOT NULL PRIMARY KEY,
                keeper_id UUID NOT NULL,
                loser_id UUID NOT NULL,
                because TEXT NOT NULL CHECK (because IN ('phone', 'unionid', 'staff')),
                merged_at TIMESTAMPTZ NOT NULL,
                merged_by TEXT NOT NULL CHECK (length(merged_by) BETWEEN 1 AND 256),
                facts JSONB NOT NULL,
                undone_at TIMESTAMPTZ,
                undone_by TEXT CHECK (length(undone_by) BETWEEN 1 AND 256),
                CONSTRAINT member_merge_two CHECK (keeper_id <> loser_id),
                CONSTRAINT member_merge_undone CHECK ((undone_at IS NULL) = (undone_by IS NULL))
            )
            """,
            "CREATE INDEX member_merge_keeper ON member_merge (keeper_id, merged_at)",
            "CREATE INDEX member_merge_loser ON member_merge (loser_id, merged_at)",
            *(f"ALTER TABLE {table} ADD COLUMN came_with UUID" for table in _MOVED),
        ),
        Statements(
            postgres=[
                "ALTER TABLE member_session DROP CONSTRAINT member_session_revoked_because_check",
                "ALTER TABLE member_session ADD CONSTRAINT member_session_revoked_because_check "
                f"{_REASONS}",
            ],
            # SQLite changes no CHECK: the table is made anew, and so is the one that refers to it.
            sqlite=[
                "CREATE TABLE refresh_token_kept AS SELECT * FROM refresh_token",
                "DROP TABLE refresh_token",
                f"""
                CREATE TABLE member_session_anew (
                    member_id UUID NOT NULL REFERENCES member (id),
                    id UUID NOT NULL,
                    app_id TEXT NOT NULL,
                    started_at TIMESTAMPTZ NOT NULL,
                    expires_at TIMESTAMPTZ NOT NULL,
                    revoked_at TIMESTAMPTZ,
                    revoked_because TEXT {_REASONS},
                    PRIMARY KEY (member_id, id),
                    CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
                )
                """,
                "INSERT INTO member_session_anew SELECT * FROM member_session",
                "DROP TABLE member_session",
                "ALTER TABLE member_session_anew RENAME TO member_session",
                """
                CREATE TABLE refresh_token (
                    member_id UUID NOT NULL,
                    id UUID NOT NULL,
                    session_id UUID NOT NULL,
                    token_hash TEXT NOT NULL CHECK (length(token_hash) = 64),
                    issued_at TIMESTAMPTZ NOT NULL,
                    used_at TIMESTAMPTZ,
                    PRIMARY KEY (member_id, id),
                    UNIQUE (member_id, token_hash),
                    FOREIGN KEY (member_id, session_id) REFERENCES member_session (member_id, id)
                )
                """,
                "INSERT INTO refresh_token SELECT * FROM refresh_token_kept",
                "DROP TABLE refresh_token_kept",
            ],
        ),
    ]
