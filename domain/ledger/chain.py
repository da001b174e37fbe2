"""The hash chain over a member's journal, decided purely.

`content_hash = sha256(canonical JSON of the entry without its texts, plus a salted commitment of
the texts)`, `hash = sha256(previous hash ‖ content_hash)`. Canonical JSON: UTF-8, keys sorted, no
white space, moments in UTC with six decimals and `Z`. The commitment is
`sha256(salt ‖ canonical JSON of reason, note and reference)` and is stored with the entry: once
texts and salt are erased it tells nothing about them, and the chain still verifies.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import orjson

from domain.ledger.entries import Changes, EntryKind, Texts

GENESIS = bytes(32)
"""What stands in for the previous hash of a member's first entry."""


@lru_cache(maxsize=1_024)  # The entries of a batch share their moments.
def moment_text(moment: datetime) -> str:
    """A moment as the chain writes it: `2026-01-31T16:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def text_commitment(texts: Texts, *, salt: bytes) -> bytes:
    """A commitment to the texts, 32 bytes, that whoever has texts and salt can check."""
    canonical = orjson.dumps(
        {"note": texts.note, "reason": texts.reason, "reference": texts.reference}
    )
    return hashlib.sha256(salt + canonical).digest()


def canonical_content(
    *,
    member_id: UUID,
    seq: int,
    kind: EntryKind,
    amount: int,
    changes: Changes,
    balance_after: int,
    effective_at: datetime,
    recorded_at: datetime,
    source_kind: str,
    reverses: int | None,
    commitment: bytes,
) -> bytes:
    """The canonical JSON of an entry, the bytes that `content_hash` is taken over."""
    return orjson.dumps(
        {
            "amount": amount,
            "available": changes.available,
            "balanceAfter": balance_after,
            "debt": changes.debt,
            "effectiveAt": moment_text(effective_at),
            "held": changes.held,
            "kind": kind.value,
            "member": str(member_id),
            "pending": changes.pending,
            "recordedAt": moment_text(recorded_at),
            "reverses": reverses,
            "seq": seq,
            "source": source_kind,
            "texts": commitment.hex(),
        },
        option=orjson.OPT_SORT_KEYS,
    )


def link(previous: bytes, *, content_hash: bytes) -> bytes:
    """The hash of an entry from its predecessor's hash and its own content's."""
    return hashlib.sha256(previous + content_hash).digest()
