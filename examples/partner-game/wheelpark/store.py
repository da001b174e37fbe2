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

from wheelpark.items import unsent
from wheelpark.tables import prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Win:
    """A prize that somebody won, and how far its points have come.

    `state` is NEW until it has a receipt, then APPLIED, REJECTED (`code` says why) or REVERSED;
    HELD where its batch was refused whole; NOTHING where no points were won.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the gateway received of ours: a win, or what takes one back."""

    external_id: str
    kind: str
    points: int
    state: str
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A batch that was refused whole and is not sent any more, and why."""

    batch_id: str
    reason: str
    external_ids: tuple[str, ...]


State = tuple[str, str, str | None, float]
"""How an item stands: its id, state, code, and from when on it may be sent again."""


class Store:
    """The platform's database. Only its owner may read it."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self.clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)  # One that an earlier version made was open to everybody.
        with self._opened() as db:
            prepare(db)

    def now_text(self) -> str:
        """This moment, as GraphQL takes it. Such texts sort as the moments do."""
        return as_text(datetime.fromtimestamp(self.clock(), UTC))

    def player(self, member_ref: str) -> str:
        """The player whom the merchant calls so, new or known."""
        with self._opened() as db:
            db.execute(
                "INSERT OR IGNORE INTO player VALUES (?, ?, ?)",
                (secrets.token_urlsafe(12), member_ref, self.now_text()),
            )
            row = db.execute("SELECT id FROM player WHERE member_ref = ?", (member_ref,)).fetchone()
            return str(row["id"])

    def member_ref(self, player_id: str) -> str | None:
        """What the merchant calls the player."""
        with self._opened() as db:
            row = db.execute("SELECT member_ref FROM player WHERE id = ?", (player_id,)).fetchone()
        return None if row is None else str(row["member_ref"])

    def add_win(self, win: Win, *, since: datetime, spins_max: int) -> bool:
        """Keep a win; whether the player had a spin left in the time that began at `since`."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            if _spins(db, win.player_id, since) >= spins_max:
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

    def spins_since(self, player_id: str, since: datetime) -> int:
        """How often the player turned the wheel since then."""
        with self._opened() as db:
            return _spins(db, player_id, since)

    def wins_of(self, player_id: str, *, count: int = 20) -> list[Win]:
        """The player's last wins, the newest first."""
        with self._opened() as db:
            rows = db.execute(
                "SELECT * FROM win WHERE player_id = ? ORDER BY won_at DESC LIMIT ?",
                (player_id, count),
            ).fetchall()
        return [Win(**{name: row[name] for name in Win.__slots__}) for row in rows]

    def points_of(self, player_id: str) -> int:
        """The points that have arrived at the player's, less those taken back."""
        with self._opened() as db:
            row = db.execute(
                "SELECT COALESCE(SUM(points), 0) AS points FROM win"
                " WHERE player_id = ? AND state = 'APPLIED'",
                (player_id,),
            ).fetchone()
            return int(row["points"])

    def take_back(self, win_id: str) -> str | None:
        """Note that a win's points are to be taken back; the id of what does it.

        None where there is no such win, or its points never arrived. Asked again it is the same.
        """
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            known = db.execute("SELECT * FROM reversal WHERE win_id = ?", (win_id,)).fetchone()
            if known is not None:
                return str(known["external_id"])
            win = db.execute("SELECT state FROM win WHERE external_id = ?", (win_id,)).fetchone()
            if win is None or win["state"] != "APPLIED":
                return None
            external_id = f"back-{secrets.token_hex(16)}"
            db.execute(
                "INSERT INTO reversal (external_id, win_id, made_at) VALUES (?, ?, ?)",
                (external_id, win_id, self.now_text()),
            )
            return external_id

    def received_between(self, begins: datetime, ends: datetime) -> list[Line]:
        """What the gateway received from `begins` on and before `ends`, as it stood last."""
        with self._opened() as db:
            rows = db.execute(
                "SELECT external_id, 'GRANT' AS kind, points, state, code FROM win"
                " JOIN batch ON batch.id = batch_id WHERE received_at >= ?1 AND received_at < ?2"
                " UNION ALL SELECT reversal.external_id, 'REVERSAL', points, reversal.state,"
                " reversal.code FROM reversal JOIN win ON win.external_id = win_id"
                " JOIN batch ON batch.id = reversal.batch_id"
                " WHERE received_at >= ?1 AND received_at < ?2",
                (begins.timestamp(), ends.timestamp()),
            ).fetchall()
        return [Line(**row) for row in rows]

    def next_batch(self, *, items_max: int, campaign_id: str, at: float) -> tuple[str, Any] | None:
        """The batch to send now: one that has no answer yet, or a new one of what is unsent.

        A batch that waits for its time, or was set aside, lets the others pass.
        """
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            waiting = db.execute(
                "SELECT id, content FROM batch WHERE received_at IS NULL AND NOT set_aside"
                " AND not_before <= ? ORDER BY attempts, made_at LIMIT 1",
                (at,),
            ).fetchone()
            if waiting is not None:
                return waiting["id"], json.loads(waiting["content"])
            items = unsent(db, campaign_id, items_max=items_max, at=at)
            if not items:
                return None
            return self._add_batch(db, items), items

    def answered(self, batch_id: str, states: Sequence[State], *, received_at: datetime) -> None:
        """Note what became of each item of a batch: a win, or what takes one back."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            values = [(state, code, again, batch_id, one) for one, state, code, again in states]
            # What was taken back stays so, also where the first answer comes after that.
            db.executemany(
                "UPDATE win SET state = iif(state = 'REVERSED', state, ?), code = ?,"
                " not_before = ?, batch_id = ? WHERE external_id = ?",
                values,
            )
            db.executemany(
                "UPDATE reversal SET state = iif(state = 'APPLIED', state, ?), code = ?,"
                " not_before = ?, batch_id = ? WHERE external_id = ?",
                values,
            )
            _reverse_wins(db, [one for one, state, _, _ in states if state == "APPLIED"])
            db.execute(
                "UPDATE batch SET received_at = ?, reason = NULL WHERE id = ?",
                (received_at.timestamp(), batch_id),
            )

    def attempts(self, batch_id: str) -> int:
        """How often the batch was not answered."""
        with self._opened() as db:
            row = db.execute("SELECT attempts FROM batch WHERE id = ?", (batch_id,)).fetchone()
            return int(row["attempts"])

    def not_answered(self, batch_id: str, reason: str, *, again_at: float) -> None:
        """Note that a batch goes out again, not before `again_at`, and why."""
        with self._opened() as db:
            db.execute(
                "UPDATE batch SET attempts = attempts + 1, reason = ?, not_before = ? WHERE id = ?",
                (reason, again_at, batch_id),
            )

    def set_aside(self, batch_id: str, reason: str) -> None:
        """Send a batch no more. Of many items each goes on in a batch of its own."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT content FROM batch WHERE id = ?", (batch_id,)).fetchone()
            items = json.loads(row["content"])
            if len(items) > 1:
                # Nothing of it was taken in, and an item counts once whatever batch it comes in.
                db.execute("DELETE FROM batch WHERE id = ?", (batch_id,))
                for item in items:
                    self._add_batch(db, [item])
                return
            db.execute(
                "UPDATE batch SET set_aside = 1, reason = ? WHERE id = ?", (reason, batch_id)
            )
            db.execute("UPDATE win SET state = 'HELD' WHERE batch_id = ?", (batch_id,))
            db.execute("UPDATE reversal SET state = 'HELD' WHERE batch_id = ?", (batch_id,))

    def batches_set_aside(self) -> list[SetAside]:
        """What somebody has to look at, the oldest first."""
        with self._opened() as db:
            rows = db.execute("SELECT * FROM batch WHERE set_aside ORDER BY made_at").fetchall()
        return [
            SetAside(
                batch_id=row["id"],
                reason=row["reason"],
                external_ids=tuple(one["externalId"] for one in json.loads(row["content"])),
            )
            for row in rows
        ]

    def send_again(self, batch_id: str) -> bool:
        """Let a batch that was set aside go out again; whether there is one."""
        with self._opened() as db:
            done = db.execute(
                "UPDATE batch SET set_aside = 0, not_before = 0, attempts = 0"
                " WHERE id = ? AND set_aside",
                (batch_id,),
            )
            return done.rowcount == 1

    def hear(
        self, webhook_id: str, type_: str, *, external_ids: Sequence[str], state: str | None
    ) -> None:
        """Note what a webhook told. Each comes once or more, and the first one counts.

        The ids are those of wins, or of what takes wins back: whose they are is known here alone.
        """
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            done = db.execute(
                "INSERT OR IGNORE INTO webhook VALUES (?, ?, ?)",
                (webhook_id, type_, self.now_text()),
            )
            if done.rowcount != 1 or state is None:
                return
            if state == "REVERSED":
                _reverse_wins(db, external_ids)
            elif state == "APPLIED":
                # What was taken back stays so: messages come in any order.
                db.executemany(
                    "UPDATE win SET state = 'APPLIED', code = NULL"
                    " WHERE external_id = ? AND state <> 'REVERSED'",
                    [(one,) for one in external_ids],
                )
            else:
                # Of wins the receipt has told, with its code.
                db.executemany(
                    "UPDATE reversal SET state = ? WHERE external_id = ? AND state = 'PENDING'",
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

    def _add_batch(self, db: sqlite3.Connection, items: Sequence[Any]) -> str:
        batch_id = f"batch-{secrets.token_hex(12)}"
        db.execute(
            "INSERT INTO batch (id, content, made_at) VALUES (?, ?, ?)",
            (batch_id, json.dumps(items), self.now_text()),
        )
        named = [(batch_id, one["externalId"]) for one in items]
        db.executemany("UPDATE win SET batch_id = ? WHERE external_id = ?", named)
        db.executemany("UPDATE reversal SET batch_id = ? WHERE external_id = ?", named)
        return batch_id

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


def as_text(moment: datetime) -> str:
    """A moment with all its microseconds, so that texts sort as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _spins(db: sqlite3.Connection, player_id: str, since: datetime) -> int:
    row = db.execute(
        "SELECT count(*) AS spins FROM win WHERE player_id = ? AND won_at >= ?",
        (player_id, as_text(since)),
    ).fetchone()
    return int(row["spins"])


def _reverse_wins(db: sqlite3.Connection, reversal_ids: Sequence[str]) -> None:
    """The wins that these take back are REVERSED. Other ids name nothing here."""
    named = [(one,) for one in reversal_ids]
    db.executemany(
        "UPDATE win SET state = 'REVERSED', code = NULL"
        " WHERE external_id = (SELECT win_id FROM reversal WHERE external_id = ?)",
        named,
    )
    db.executemany(
        "UPDATE reversal SET state = 'APPLIED', code = NULL WHERE external_id = ?", named
    )
