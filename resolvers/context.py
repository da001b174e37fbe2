"""What a request brings to every resolver: who asks, when, in which language, with which services.

Actor and time are arguments of the domain's use cases, never ambient: a resolver takes them from
here and hands them down.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from domain.access import AccessTokens, Account, Caller, CallerKind
from domain.audit import Actor
from domain.clock import Clock
from domain.custody import COOLING
from domain.files import FileStore
from domain.games import POINT_COST_FEN, PartnerGuard
from domain.ledger import AdjustmentRules, TransferLimits
from domain.mailing import Mails, NoMails
from domain.members import Member
from domain.notifications import SubscribeTemplates
from domain.outbox import Live
from domain.program import Programme, program
from domain.rewards import RewardRules
from domain.texting import NoTextMessages, TextMessages
from domain.wechat import WeChatClient
from resolvers.once import Once
from resolvers.rates import RateKey, Rates, Spending, Unlimited

Language: TypeAlias = Literal["zh", "en"]

Principal: TypeAlias = Member | Account
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
    live: Live = field(default_factory=Live)
    rates: Rates = field(default_factory=Unlimited)
    transfer_limits: TransferLimits = field(default_factory=TransferLimits)
    adjustment_rules: AdjustmentRules = field(default_factory=AdjustmentRules)
    reward_rules: RewardRules = field(default_factory=RewardRules)
    audit_within_s: float = 2.0
    texts: TextMessages = field(default_factory=NoTextMessages)
    mails: Mails = field(default_factory=NoMails)
    subscribe_templates: SubscribeTemplates = field(default_factory=dict)
    cooling: timedelta = COOLING
    public_url: str = ""
    files: FileStore | None = None
    point_cost_fen: Decimal = POINT_COST_FEN


@dataclass(slots=True)
class OperationFacts:
    """What becomes known of the operation of a request, for whoever watches; nothing decides by it.

    `document`, `name` and `kind` (query, mutation or subscription) are set once the document is
    known to be valid; an operation may have no name. `refusals` are codes that mutations answered.
    """

    document: str | None = None
    name: str | None = None
    kind: str | None = None
    cost: int | None = None
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request. `caller` is None for an anonymous one; `now` is aware UTC, read once.

    `principal` is who the caller's token stands for, read when the token was confirmed.
    `opens_schema` says whether introspection and suggestions are offered to this caller; they are
    withheld from anonymous callers in production. `clock` is what `now` was read from. `address` is
    where the request came from, as far as one person may have several, `device` what the client
    calls the device that it runs on, where it says so. `sends_batches` says that the caller may
    send more at once than others; `tells_cost`, that the client wants to know what
    its operation costs. `guard` is the partner that asks, with its keys, None for all
    others; `signed_by` the key that signed the request.
    """

    caller: Caller | None
    now: datetime
    language: Language
    request_id: str
    services: Services
    principal: Principal | None = None
    opens_schema: bool = True
    clock: Clock = field(default_factory=Clock)
    once: Once = field(default_factory=Once)
    operation: OperationFacts = field(default_factory=OperationFacts)
    address: str = "unknown"
    device: str = ""
    sends_batches: bool = False
    tells_cost: bool = False
    spending: Spending = field(default_factory=Spending)
    guard: PartnerGuard | None = None
    signed_by: UUID | None = None

    def renewed(self) -> RequestContext:
        """The same caller at this moment, who has read nothing yet: for what outlives a request."""
        return replace(self, now=self.clock.now(), once=Once())

    async def programme(self) -> Programme:
        """The programme, read once per request."""
        return await self.once.read("programme", program)

    @property
    def rate_key(self) -> RateKey:
        """Whose bucket pays for the request: the caller's, or that of an anonymous address."""
        if self.caller is None:
            return RateKey("address", self.address)
        return RateKey(self.caller.kind, str(self.caller.subject))

    @property
    def member_id(self) -> UUID | None:
        """The member who asks, or None when nobody or somebody else does."""
        if self.caller is None or self.caller.kind is not CallerKind.MEMBER:
            return None
        return self.caller.subject

    def require_member(self) -> UUID:
        """The member who asks. Raises NotSignedIn without a token, NotAllowed for others."""
        return self._require(CallerKind.MEMBER).subject

    def require_account(self, *kinds: CallerKind) -> Account:
        """The account of one of these kinds that asks. Raises NotSignedIn or NotAllowed."""
        self._require(*kinds)
        if not isinstance(self.principal, Account):
            raise NotAllowed
        return self.principal

    def actor(self) -> Actor:
        """The member of staff who asks, as the audit log names them. Raises as above."""
        account = self.require_account(CallerKind.STAFF)
        return Actor(
            name=f"staff:{account.code}", account_id=account.id, request_id=self.request_id
        )

    def _require(self, *kinds: CallerKind) -> Caller:
        if self.caller is None:
            raise NotSignedIn
        if self.caller.kind not in kinds:
            raise NotAllowed
        return self.caller
