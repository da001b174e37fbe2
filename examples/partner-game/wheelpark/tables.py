"""The tables of the platform, and what earlier versions of them lack."""

from __future__ import annotations

import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS player (
  id TEXT PRIMARY KEY, member_ref TEXT NOT NULL UNIQUE, joined_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS win (
  external_id TEXT PRIMARY KEY, player_id TEXT NOT NULL REFERENCES player, prize_code TEXT NOT NULL,
  title TEXT NOT NULL, points INTEGER NOT NULL, disclosure_version TEXT NOT NULL,
  won_at TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'NEW', code TEXT, batch_id TEXT,
  not_before REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS win_of_player ON win (player_id, won_at);
CREATE INDEX IF NOT EXISTS win_unsent ON win (not_before) WHERE state = 'NEW';
CREATE TABLE IF NOT EXISTS reversal (
  external_id TEXT PRIMARY KEY, win_id TEXT NOT NULL UNIQUE REFERENCES win, made_at TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'NEW', code TEXT, batch_id TEXT, not_before REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS event (
  external_id TEXT PRIMARY KEY, kind TEXT NOT NULL, visitor TEXT NOT NULL, member_ref TEXT,
  at TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS event_unsent ON event (at) WHERE sent = 0;
CREATE TABLE IF NOT EXISTS batch (
  id TEXT PRIMARY KEY, content TEXT NOT NULL, made_at TEXT NOT NULL, received_at REAL
);
CREATE TABLE IF NOT EXISTS webhook (
  id TEXT PRIMARY KEY, type TEXT NOT NULL, received_at TEXT NOT NULL
);
"""

ADDED_TO_BATCH = {
    "attempts": "INTEGER NOT NULL DEFAULT 0",
    "not_before": "REAL NOT NULL DEFAULT 0",
    "set_aside": "INTEGER NOT NULL DEFAULT 0",
    "reason": "TEXT",
}
"""Columns that the first version did not have: whoever comes from it keeps what was won."""


def prepare(db: sqlite3.Connection) -> None:
    """Make what is not there yet. Done again it changes nothing."""
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(SCHEMA)
    known = {row["name"] for row in db.execute("PRAGMA table_info(batch)")}
    for name, type_ in ADDED_TO_BATCH.items():
        if name not in known:
            db.execute(f"ALTER TABLE batch ADD COLUMN {name} {type_}")
