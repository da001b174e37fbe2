"""What the platform keeps, in SQLite: players, wins, and what is yet to be sent.

A win is written before anybody hears of it, and a batch with its very content before it is sent.
Whatever dies, the same batch goes out again, and the gateway answers it as it did before.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
CREATE TABLE IF NOT EXISTS event (
  external_id TEXT PRIMARY KEY, kind TEXT NOT NULL, visitor TEXT NOT NULL, member_ref TEXT,
  at TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS event_unsent ON event (at) WHERE sent = 0;
CREATE TABLE IF NOT EXISTS batch (
  id TEXT PRIMARY KEY, content TEXT NOT NULL, made_at TEXT NOT NULL,
  received_at REAL
);
CREATE TABLE IF NOT EXISTS webhook (
  id TEXT PRIMARY KEY, type TEXT NOT NULL, received_at TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Win:
    """A prize that somebody won, and how far its points have come.

    `state` is NEW until it has a receipt, then APPLIED, REJECTED (`code` says why) or REVERSED;
    NOTHING where no points were won.
    """

    external_id: str
    player_id: str
    prize_code: str
    title: str
    points: int
    disclosure_version: str
    won_at: str
    state: str = "NEW"
    code: str | None = None


class Store:
    """The platform's database."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self.clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(SCHEMA)

    def now_text(self) -> str:
        """This moment, as GraphQL takes it."""
        return datetime.fromtimestamp(self.clock(), UTC).isoformat().replace("+00:00", "Z")

    def player(self, member_ref: str) -> str:
        """The player whom the merchant calls so, new or known."""
        with self._opened() as db:
            db.execute(
                "INSERT OR IGNORE INTO player VALUES (?, ?, ?)",
                (secrets.token_urlsafe(12), member_ref, self.now_text()),
            )
            row = db.execute("SELECT id FROM player WHERE member_ref = ?", (member_ref,)).fetchone()
            return str(row["id"])

    def add_win(self, win: Win, *, wins_max_on_a_day: int) -> bool:
        """Keep a win; whether the player had a spin left today."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            had = db.execute(
                "SELECT count(*) FROM win WHERE player_id = ? AND won_at >= ?",
                (win.player_id, win.won_at[:10]),
            ).fetchone()[0]
            if had >= wins_max_on_a_day:
                return False
            db.execute(
                "INSERT INTO win (external_id, player_id, prize_code, title, points,"
                " disclosure_version, won_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(win.external_id, win.player_id, win.prize_code, win.title, win.points),
                    *(win.disclosure_version, win.won_at, win.state),
                ),
            )
            return True

    def wins_of(self, player_id: str, *, count: int = 20) -> list[Win]:
        """The player's last wins, the newest first."""
        with self._opened() as db:
            rows = db.execute(
                "SELECT * FROM win WHERE player_id = ? ORDER BY won_at DESC LIMIT ?",
                (player_id, count),
            ).fetchall()
        return [Win(**{name: row[name] for name in Win.__slots__}) for row in rows]

    def received_between(self, begins: datetime, ends: datetime) -> list[Win]:
        """What the gateway received from `begins` on and before `ends`, as it stood last."""
        with self._opened() as db:
            rows = db.execute(
                "SELECT win.* FROM win JOIN batch ON batch.id = win.batch_id"
                " WHERE received_at >= ? AND received_at < ?",
                (begins.timestamp(), ends.timestamp()),
            ).fetchall()
        return [Win(**{name: row[name] for name in Win.__slots__}) for row in rows]

    def next_batch(self, *, items_max: int, campaign_id: str, at: float) -> tuple[str, Any] | None:
        """The batch to send now: one that has no answer yet, or a new one of unsent wins."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            waiting = db.execute(
                "SELECT id, content FROM batch WHERE received_at IS NULL ORDER BY made_at LIMIT 1"
            ).fetchone()
            if waiting is not None:
                return waiting["id"], json.loads(waiting["content"])
            rows = db.execute(
                "SELECT win.*, player.member_ref FROM win JOIN player ON player.id = player_id"
                " WHERE state = 'NEW' AND not_before <= ? ORDER BY won_at LIMIT ?",
                (at, items_max),
            ).fetchall()
            if not rows:
                return None
            batch_id = f"batch-{secrets.token_hex(12)}"
            items = [_item(row, campaign_id) for row in rows]
            db.execute(
                "INSERT INTO batch (id, content, made_at) VALUES (?, ?, ?)",
                (batch_id, json.dumps(items), self.now_text()),
            )
            return batch_id, items

    def answered(
        self,
        batch_id: str,
        states: Sequence[tuple[str, str, str | None, float]],
        *,
        received_at: datetime,
    ) -> None:
        """Note what became of a batch: per win its state, its code, and when to send it again."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "UPDATE win SET state = ?, code = ?, not_before = ?, batch_id = ?"
                " WHERE external_id = ?",
                [(state, code, again, batch_id, one) for one, state, code, again in states],
            )
            db.execute(
                "UPDATE batch SET received_at = ? WHERE id = ?",
                (received_at.timestamp(), batch_id),
            )

    def hear(
        self, webhook_id: str, type_: str, *, external_ids: Sequence[str], state: str | None
    ) -> None:
        """Note what a webhook told of wins. Each comes once or more: the first one counts."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            done = db.execute(
                "INSERT OR IGNORE INTO webhook VALUES (?, ?, ?)",
                (webhook_id, type_, self.now_text()),
            )
            if done.rowcount == 1 and state is not None:
                db.executemany(
                    "UPDATE win SET state = ?, code = NULL WHERE external_id = ?",
                    [(state, one) for one in external_ids],
                )

    def add_event(self, kind: str, *, visitor: str, member_ref: str | None = None) -> None:
        """Keep what a visitor did, to be told to the merchant."""
        with self._opened() as db:
            db.execute(
                "INSERT INTO event (external_id, kind, visitor, member_ref, at)"
                " VALUES (?, ?, ?, ?, ?)",
                (f"ev-{secrets.token_hex(12)}", kind, visitor, member_ref, self.now_text()),
            )

    def unsent_events(self, *, count: int) -> list[sqlite3.Row]:
        """The oldest events that were not told yet."""
        with self._opened() as db:
            return db.execute(
                "SELECT * FROM event WHERE sent = 0 ORDER BY at LIMIT ?", (count,)
            ).fetchall()

    def events_sent(self, external_ids: Sequence[str]) -> None:
        """Note that these were told."""
        with self._opened() as db:
            db.executemany(
                "UPDATE event SET sent = 1 WHERE external_id = ?", [(one,) for one in external_ids]
            )

    def member_ref(self, player_id: str) -> str | None:
        """What the merchant calls the player."""
        with self._opened() as db:
            row = db.execute("SELECT member_ref FROM player WHERE id = ?", (player_id,)).fetchone()
        return None if row is None else str(row["member_ref"])

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=5, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.rollback()
                raise
            if db.in_transaction:
                db.commit()


def _item(row: sqlite3.Row, campaign_id: str) -> dict[str, Any]:
    """A win as `pushRewards` takes it."""
    return {
        "externalId": row["external_id"],
        "member": {"memberRef": row["member_ref"]},
        "campaignId": campaign_id,
        "points": row["points"],
        "occurredAt": row["won_at"],
        "kind": "GRANT",
        "businessReference": row["external_id"],
        "prizeCode": row["prize_code"],
        "disclosureVersion": row["disclosure_version"],
    }
