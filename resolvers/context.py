"""What a request brings to every resolver: who asks, when, in which language, with which services.

Actor and time are arguments of the domain's use cases, never ambient: a resolver takes them from
here and hands them down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from domain.access import AccessTokens, ApiClient, Caller, CallerKind, StaffAccount
from domain.members import Member
from domain.program import Programme, program
from domain.wechat import WeChatClient
from resolvers.once import Once

Language: TypeAlias = Literal["zh", "en"]

Principal: TypeAlias = Member | ApiClient | StaffAccount
"""Whom the subject of a token stands for, as the database knows them."""


class NotSignedIn(Exception):
    """Raised when something that belongs to a caller is asked for without a token."""


class NotAllowed(Exception):
    """Raised when the token is good but of a caller to whom this does not belong."""


@dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the process: clients and keys, made once at start-up."""

    wechat: WeChatClient
    tokens: AccessTokens


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request. `caller` is None for an anonymous one; `now` is aware UTC, read once.

    `principal` is who the caller's token stands for, read when the token was confirmed.
    `opens_schema` says whether introspection and suggestions are offered to this caller; they are
    withheld from anonymous callers in production.
    """

    caller: Caller | None
    now: datetime
    language: Language
    request_id: str
    services: Services
    principal: Principal | None = None
    opens_schema: bool = True
    once: Once = field(default_factory=Once)

    async def programme(self) -> Programme:
        """The programme, read once per request."""
        return await self.once.read("programme", program)

    @property
    def member_id(self) -> UUID | None:
        """The member who asks, or None when nobody or somebody else does."""
        if self.caller is None or self.caller.kind is not CallerKind.MEMBER:
            return None
        return self.caller.subject

    def require_member(self) -> UUID:
        """The member who asks. Raises NotSignedIn without a token, NotAllowed for others."""
        return self._require(CallerKind.MEMBER).subject

    def require_staff(self) -> Caller:
        """The member of staff who asks. Raises NotSignedIn or NotAllowed as above."""
        return self._require(CallerKind.STAFF)

    def require_scope(self, scope: str) -> Caller:
        """The shop or partner who asks, holding `scope`. Raises NotSignedIn or NotAllowed."""
        caller = self._require(CallerKind.SHOP, CallerKind.PARTNER)
        if scope not in caller.scopes:
            raise NotAllowed
        return caller

    def _require(self, *kinds: CallerKind) -> Caller:
        if self.caller is None:
            raise NotSignedIn
        if self.caller.kind not in kinds:
            raise NotAllowed
        return self.caller
