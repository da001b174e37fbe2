"""Levels by several criteria and rules of the programme; what members hold them by, as terms."""

from tortoise import fields
from tortoise.migrations import migration

from domain.storage.migration_operations import ChangedField, Statements

_AMOUNT_MAX = 9007199254740991

_REASONS = (
    "CHECK (reason IN ('QUALIFIED', 'IMPORTED', 'MERGED', 'PARTED', 'LOWERED', 'REFUNDED', "
    "'GRANTED', 'GRANT_ENDED', 'REDEFINED'))"
)
_BASE = (
    "CHECK (rank > 0 OR "
    "(threshold = 0 AND amount_fen IS NULL AND purchases IS NULL AND match = 'ALL'))"
)
_ABOVE = "CHECK (rank = 0 OR threshold > 0 OR amount_fen IS NOT NULL OR purchases IS NOT NULL)"
_FEN = f"CHECK (amount_fen BETWEEN 1 AND {_AMOUNT_MAX})"
_BOUGHT = "CHECK (purchases BETWEEN 1 AND 1000000)"
_MATCH = "CHECK (match IN ('ALL', 'ANY'))"
_DAY_FEN = f"CHECK (amount_fen BETWEEN 0 AND {_AMOUNT_MAX})"

_LEVEL_COLUMNS = "code, rank, name_zh, name_en, threshold"

# A term of the past rests on what was counted in the twelve months up to the day it was reached.
_TERMS = """
    INSERT INTO level_term (member_id, id, level_code, kind, since, keep_until, keep_after_day,
        basis_after_day, asked_points)
    SELECT m.member_id, m.member_id, m.level_code,
           CASE WHEN EXISTS (
               SELECT 1 FROM level_change AS c WHERE c.member_id = m.member_id
               AND c.seq = m.changes AND c.reason = 'IMPORTED'
           ) THEN 'IMPORTED' ELSE 'QUALIFIED' END,
           m.since, m.keep_until, m.keep_after_day, {basis}, l.threshold
    FROM member_level AS m JOIN level AS l ON l.code = m.level_code WHERE l.rank > 0
"""


class Migration(migration.Migration):
    dependencies = [("tiers", "0002_reasons")]
    operations = [
        # Levels that ask for other things than points may ask for none.
        ChangedField("Level", "threshold", fields.BigIntField()),
        Statements(
            postgres=[
                "ALTER TABLE level DROP CONSTRAINT level_base",
                "ALTER TABLE level DROP CONSTRAINT level_threshold_key",
                f"ALTER TABLE level ADD COLUMN amount_fen BIGINT {_FEN}",
                f"ALTER TABLE level ADD COLUMN purchases INTEGER {_BOUGHT}",
                f"ALTER TABLE level ADD COLUMN match TEXT NOT NULL DEFAULT 'ALL' {_MATCH}",
                f"ALTER TABLE level ADD CONSTRAINT level_base {_BASE}",
                f"ALTER TABLE level ADD CONSTRAINT level_asks {_ABOVE}",
                "ALTER TABLE level_change DROP CONSTRAINT level_change_reason_check",
                f"ALTER TABLE level_change ADD CONSTRAINT level_change_reason_check {_REASONS} "
                "NOT VALID",
                "ALTER TABLE level_change VALIDATE CONSTRAINT level_change_reason_check",
                "ALTER TABLE qualifying_day ADD COLUMN amount_fen BIGINT NOT NULL DEFAULT 0",
                "ALTER TABLE qualifying_day ADD CONSTRAINT qualifying_day_amount "
                f"{_DAY_FEN} NOT VALID",
                "ALTER TABLE qualifying_day VALIDATE CONSTRAINT qualifying_day_amount",
            ],
            # SQLite changes no constraint: tables are written anew, their triggers with them.
            sqlite=[
                "PRAGMA defer_foreign_keys = ON",
                f"CREATE TABLE level_before AS SELECT {_LEVEL_COLUMNS} FROM level",
                "DROP TABLE level",
                f"""
                CREATE TABLE level (
                    code TEXT NOT NULL PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 32),
                    rank INTEGER NOT NULL UNIQUE CHECK (rank >= 0),
                    name_zh TEXT NOT NULL,
                    name_en TEXT NOT NULL,
                    threshold BIGINT NOT NULL CHECK (threshold BETWEEN 0 AND {_AMOUNT_MAX}),
                    amount_fen BIGINT {_FEN},
                    purchases INTEGER {_BOUGHT},
                    match TEXT NOT NULL DEFAULT 'ALL' {_MATCH},
                    CONSTRAINT level_base {_BASE},
                    CONSTRAINT level_asks {_ABOVE}
                )
                """,
                f"INSERT INTO level ({_LEVEL_COLUMNS}) SELECT {_LEVEL_COLUMNS} FROM level_before",
                "DROP TABLE level_before",
                f"""
                CREATE TABLE level_change_anew (
                    member_id UUID NOT NULL,
                    seq BIGINT NOT NULL CHECK (seq > 0),
                    from_code TEXT,
                    to_code TEXT NOT NULL,
                    reason TEXT NOT NULL {_REASONS},
                    qualifying_points BIGINT NOT NULL CHECK (qualifying_points >= 0),
                    source_kind TEXT NOT NULL,
                    occurred_at TIMESTAMPTZ NOT NULL,
                    PRIMARY KEY (member_id, seq)
                )
                """,
                "INSERT INTO level_change_anew SELECT * FROM level_change",
                "DROP TABLE level_change",
                "ALTER TABLE level_change_anew RENAME TO level_change",
                *(
                    f"CREATE TRIGGER level_change_no_{verb.lower()} BEFORE {verb} ON level_change "
                    "BEGIN SELECT RAISE(ABORT, 'level_change is append-only'); END"
                    for verb in ("UPDATE", "DELETE")
                ),
                "ALTER TABLE qualifying_day ADD COLUMN amount_fen BIGINT NOT NULL DEFAULT 0 "
                f"CONSTRAINT qualifying_day_amount {_DAY_FEN}",
            ],
        ),
        Statements(
            """
            CREATE TABLE level_rules (
                id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
                window_kind TEXT NOT NULL CHECK (window_kind IN ('ROLLING', 'CALENDAR_YEAR')),
                months INTEGER CHECK (months BETWEEN 1 AND 60),
                grace_days INTEGER NOT NULL CHECK (grace_days BETWEEN 0 AND 180),
                notice_days INTEGER NOT NULL CHECK (notice_days BETWEEN 0 AND 180),
                version BIGINT NOT NULL CHECK (version > 0),
                CONSTRAINT level_rules_months CHECK (
                    (window_kind = 'ROLLING') = (months IS NOT NULL)
                )
            )
            """,
            # Why a member has a level, and until when. The highest is their level.
            f"""
            CREATE TABLE level_term (
                member_id UUID NOT NULL,
                id UUID NOT NULL,
                level_code TEXT NOT NULL REFERENCES level (code),
                kind TEXT NOT NULL CHECK (kind IN ('QUALIFIED', 'IMPORTED', 'GRANTED')),
                since TIMESTAMPTZ NOT NULL,
                keep_until TIMESTAMPTZ NOT NULL,
                keep_after_day DATE NOT NULL,
                basis_after_day DATE NOT NULL,
                asked_points BIGINT NOT NULL DEFAULT 0
                    CHECK (asked_points BETWEEN 0 AND {_AMOUNT_MAX}),
                asked_amount_fen BIGINT CHECK (asked_amount_fen > 0),
                asked_purchases INTEGER CHECK (asked_purchases > 0),
                asked_match TEXT NOT NULL DEFAULT 'ALL'
                    CHECK (asked_match IN ('ALL', 'ANY')),
                grace_until TIMESTAMPTZ CHECK (grace_until >= keep_until),
                noticed BOOLEAN NOT NULL DEFAULT FALSE,
                reason TEXT CHECK (length(reason) BETWEEN 1 AND 500),
                came_with UUID,
                PRIMARY KEY (member_id, id),
                CONSTRAINT level_term_granted CHECK ((kind = 'GRANTED') = (reason IS NOT NULL))
            )
            """,
            "CREATE INDEX level_term_grant ON level_term (id) WHERE kind = 'GRANTED'",
            # Who has not been looked at is due: the next review says what really is.
            "ALTER TABLE member_level ADD COLUMN next_review_at TIMESTAMPTZ NOT NULL "
            "DEFAULT '1970-01-01 00:00:00.000000+00:00'",
            "CREATE INDEX member_level_due ON member_level (next_review_at)",
            postgres=[_TERMS.format(basis="(m.keep_after_day - INTERVAL '12 months')::date")],
            sqlite=[_TERMS.format(basis="date(m.keep_after_day, '-12 months')")],
        ),
    ]
