"""The audit log: what people with power over the programme did and looked at, never changed.

One chain of rows per programme. `record` adds a row to the transaction that acts; `audited` refuses
to commit work that recorded nothing; `verify` finds what was changed behind our back.
"""

from domain.audit.reading import entries
from domain.audit.recording import AuditChainBroken, Facts, NotAudited, audited, head, record
from domain.audit.values import Actor, AuditEntry, Head, Target
from domain.audit.verification import Broken, Verification, verify

__all__ = [
    "Actor",
    "AuditChainBroken",
    "AuditEntry",
    "Broken",
    "Facts",
    "Head",
    "NotAudited",
    "Target",
    "Verification",
    "audited",
    "entries",
    "head",
    "record",
    "verify",
]
