"""How many codes somebody had sent by e-mail: ten in a day, to however many addresses.

The day begins with the first of them. Who it was is not kept, only a keyed digest.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from domain.errors import EmailCodeTooSoon
from domain.members.codes import SENT_MAX, WINDOW
from domain.storage import execute, fetch_one, inside_transaction

_COUNT: Final = f"""
    INSERT INTO email_code_asker AS a (asker_index, window_from, sent_in_window) VALUES ($1, $2, 1)
    ON CONFLICT (asker_index) DO UPDATE SET
        window_from = CASE WHEN a.window_from <= $3 THEN excluded.window_from
            ELSE a.window_from END,
        sent_in_window = CASE WHEN a.window_from <= $3 THEN 1 ELSE a.sent_in_window + 1 END
    WHERE a.window_from <= $3 OR a.sent_in_window < {SENT_MAX}
"""


async def count_sent(asker: str, *, now: datetime) -> None:
    """Count one more of theirs, with the transaction that writes the code. EmailCodeTooSoon."""
    assert inside_transaction(), "what is counted is written"
    if await execute(_COUNT, asker, now, now - WINDOW):
        return
    row = await fetch_one("SELECT window_from FROM email_code_asker WHERE asker_index = $1", asker)
    assert row is not None, "it was there to be full"
    raise EmailCodeTooSoon(retry_at=row["window_from"] + WINDOW)


async def count_one_less(asker: str) -> None:
    """Not count one that surely was not sent."""
    await execute(
        "UPDATE email_code_asker SET sent_in_window = sent_in_window - 1"
        " WHERE asker_index = $1 AND sent_in_window > 0",
        asker,
    )


async def forget_askers(*, now: datetime) -> int:
    """Delete what counts no more; how many rows."""
    return await execute("DELETE FROM email_code_asker WHERE window_from < $1", now - WINDOW)


async def forget_these_askers(askers: Collection[str]) -> None:
    """Delete what is counted of these."""
    await execute("DELETE FROM email_code_asker WHERE asker_index = ANY($1::text[])", list(askers))
