"""Who calls: the kinds of callers, and what a verified token says of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

Reason = Literal["expired", "invalid", "revoked"]


class CallerKind(StrEnum):
    """The audiences of the API. A token is made for one of them and good for no other."""

    MEMBER = "member"
    SHOP = "shop"
    PARTNER = "partner"
    STAFF = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What an access token says of its bearer; moments are aware UTC.

    `subject` is the id of the member, API client or staff account. `session_id` is the sign-in the
    token belongs to, for members only. `scopes` are held by shops and partners, `roles` by staff.
    """

    kind: CallerKind
    subject: UUID
    scopes: frozenset[str]
    roles: frozenset[str]
    session_id: UUID | None
    issued_at: datetime
    expires_at: datetime


class InvalidAccessToken(Exception):
    """Raised when an access token is not, or no longer, good: the caller must get another one.

    `reason` tells what to do next: `expired`, refresh; `revoked`, sign in again; `invalid`, it was
    never a token of ours. Not a refusal: the request is not looked at any further.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
