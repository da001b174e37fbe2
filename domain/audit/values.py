"""The audit log as values. Moments are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and in which request.

    `name` is `staff:<login>` for a member of staff and `cli:<user>` for a command that a user of
    the machine ran. `account_id` is the access account, None at the command line.
    """

    name: str
    account_id: UUID | None = None
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was acted upon: its kind (`member`, `account`, `keys` ...), and its id or code there."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row of the log.

    `before` and `after` are JSON texts, None where nothing was or is. `hash` covers the whole row
    and the row before it.
    """

    seq: int
    at: datetime
    actor: str
    account_id: UUID | None
    action: str
    target: Target | None
    before: str | None
    after: str | None
    request_id: str
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest row of the chain: how many rows there are, and the hash over all of them."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"
