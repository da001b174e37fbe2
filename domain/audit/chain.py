"""The hash chain over the audit log, decided purely.

`hash = sha256(previous hash ‖ canonical JSON of the row without its hash)`. Canonical JSON: UTF-8,
keys sorted, no white space, moments in UTC with six decimals and `Z`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC

import orjson

from domain.audit.values import AuditEntry

GENESIS = bytes(32)
"""What stands in for the hash before the first row."""


def canonical(entry: AuditEntry) -> bytes:
    """The bytes of a row that its hash is taken over."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return orjson.dumps(
        {
            "account": None if entry.account_id is None else str(entry.account_id),
            "action": entry.action,
            "actor": entry.actor,
            "after": entry.after,
            "at": at,
            "before": entry.before,
            "request": entry.request_id,
            "seq": entry.seq,
            "target": None if entry.target is None else [entry.target.kind, entry.target.id],
        },
        option=orjson.OPT_SORT_KEYS,
    )


def link(previous: bytes, entry: AuditEntry) -> bytes:
    """The hash of a row from its predecessor's hash and its own content; its `hash` is not read."""
    return hashlib.sha256(previous + canonical(entry)).digest()
