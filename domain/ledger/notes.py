"""Notes that a member wrote to others with the points that they gave."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from domain.ledger.entries import EntryKind
from domain.storage import execute

# Both entries of a transfer have its id as their reference, and the same note.
_ERASE: Final = """
    DELETE FROM points_entry_text
    WHERE note IS NOT NULL AND reference IN (
        SELECT t.reference
        FROM points_entry_text AS t
        JOIN points_entry AS e ON e.member_id = t.member_id AND e.seq = t.seq
        WHERE t.member_id = ANY($1::uuid[]) AND t.note IS NOT NULL AND e.kind = $2
    )
"""


async def erase_notes_given(member_ids: Collection[UUID]) -> int:
    """Erase the notes that these members wrote, also where the other side reads them.

    The texts of those entries go, whose commitments stay, so that both journals verify. What others
    wrote to these members is the others': it stays in the journals of those who wrote it. Returns
    how many texts were erased. Inside a transaction.
    """
    return await execute(_ERASE, list(member_ids), EntryKind.TRANSFER_OUT.value)
