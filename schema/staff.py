"""The root of staff: members by reference, and the audit log, each for the roles that need it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from domain import audit
from domain.access import Account, StaffRole
from domain.rewards import RedemptionStatus
from resolvers import adjustments as adjusting
from resolvers import contacts as contact_resolvers
from resolvers import game_partners as partnering
from resolvers import games as game_resolvers
from resolvers import ledger as ledger_resolvers
from resolvers import ledger_audits as auditing
from resolvers import level_definitions as defining
from resolvers import level_grants as granting
from resolvers import notes as note_resolvers
from resolvers import notifications as notification_resolvers
from resolvers import perks as perk_resolvers
from resolvers import programme_settings as settings
from resolvers import redemptions as redeeming
from resolvers import staff as resolvers
from resolvers import timeline as timeline_resolvers
from resolvers.records import MemberRecord
from schema.addresses import SENDS
from schema.adjustments import PENDING, Adjustment
from schema.audits import audited
from schema.complaints import ComplaintMonitoring
from schema.connections import After, Connection, First, KeysetList
from schema.contacts import CONTACTS, ServiceContact
from schema.cost import READS, STATEMENT_COST, Cost
from schema.fields import Info, argument, computed, enum_type, input_type, object_type, view
from schema.game_campaigns import DEFINES_CAMPAIGNS, StaffGameCampaign
from schema.game_partners import PARTNERS, GamePartner
from schema.games import CAMPAIGNS
from schema.ledger import ENTRIES, AsOf, Kinds, KnownAt, LedgerEntry, PointsBalance, past_moment
from schema.ledger_audits import AUDITS, READS_AUDITS, LedgerAudit
from schema.level_definitions import DEFINES, LEVELS, LevelDefinition, LevelRules
from schema.level_grants import LevelGrant
from schema.member_references import MemberReference
from schema.node import decode_uuid, encode_global_id
from schema.notes import NOTES, SERVES, MemberNote
from schema.notification_settings import TEXTS, TEXTS_READ, NotificationText
from schema.perks import USES, PerkUse
from schema.policies import SEES_MEMBERS, SEES_PARTNERS, SEES_POINTS
from schema.policies import staff as staff_with
from schema.programme_settings import (
    EXPORTS,
    RULES,
    RULES_READ,
    SETS_UP,
    EarningRule,
    ProgrammeSettings,
    PublishedEarningRule,
)
from schema.redemptions import QUEUE, StaffRedemption
from schema.service_desk import ServiceDesk
from schema.service_levels import SEES_SERVICE, ServiceTerms
from schema.staff_recommendations import ExplainedRecommendations, RecommendationModels
from schema.tiers import Tier, tier_of
from schema.timeline import SEES_TIMELINES, TIMELINE, TimelineItem

AUDIT = KeysetList("audit", (int,))
READS_THE_LOG = staff_with(StaffRole.AUDITOR)

enum_type(StaffRole)


@object_type(policy=SEES_MEMBERS)
class StaffMember(ExplainedRecommendations):
    """A member as staff sees them."""

    @computed(SEES_MEMBERS)
    def id(self) -> strawberry.ID:
        """The member's own global id."""
        record: MemberRecord = view(self)
        return encode_global_id("Member", record.id)

    @computed(SEES_MEMBERS)
    def nickname(self) -> str:
        """What the member wants to be called; empty where they did not say."""
        record: MemberRecord = view(self)
        return record.member.nickname

    @computed(SEES_MEMBERS, cost=READS)
    async def deletes_at(self) -> datetime | None:
        """When the account will be deleted, as was asked for; null while nobody asked for it."""
        record: MemberRecord = view(self)
        return await record.deletes_at()

    @computed(SEES_MEMBERS, cost=READS)
    async def tier(self) -> Tier | None:
        """The member's level; null while the programme has no levels."""
        record: MemberRecord = view(self)
        return await tier_of(record)

    @computed(SEES_MEMBERS, cost=Cost(own=STATEMENT_COST, items=100))
    async def level_grants(self) -> list[LevelGrant] | None:
        """The levels that the member was granted and that hold still, the latest first."""
        record: MemberRecord = view(self)
        grants: list[LevelGrant] = view(await granting.level_grants(record.id))
        return grants

    @computed(SEES_POINTS, cost=READS)
    async def points(
        self, info: Info, as_of: AsOf = None, known_at: KnownAt = None
    ) -> PointsBalance | None:
        """The member's points as of now, or of a moment in the past."""
        record: MemberRecord = view(self)
        balance: PointsBalance = view(
            await record.points(
                as_of=past_moment(info, as_of, name="asOf"),
                known_at=past_moment(info, known_at, name="knownAt"),
            )
        )
        return balance

    @computed(SEES_POINTS, cost=READS)
    async def ledger(
        self, first: First = 20, after: After = None, kinds: Kinds = None
    ) -> Connection[LedgerEntry] | None:
        """The journal of points, newest first."""
        record: MemberRecord = view(self)
        request = ENTRIES.request(first=first, after=after)
        page = await ledger_resolvers.journal(record.id, request, kinds=kinds)
        return ENTRIES.connection(page, request)

    @computed(SEES_MEMBERS, cost=CONTACTS)
    async def service_contacts(self) -> list[ServiceContact] | None:
        """To whom the member turns."""
        record: MemberRecord = view(self)
        contacts: list[ServiceContact] = view(await contact_resolvers.service_contacts(record.id))
        return contacts

    @computed(SERVES, cost=READS)
    async def notes(self, first: First = 20, after: After = None) -> Connection[MemberNote] | None:
        """What staff wrote down about the member, newest first. Members are never shown it."""
        record: MemberRecord = view(self)
        request = NOTES.request(first=first, after=after)
        return NOTES.connection(await note_resolvers.member_notes(record.id, request), request)

    @computed(SERVES, cost=READS)
    async def perk_uses(self, first: First = 20, after: After = None) -> Connection[PerkUse] | None:
        """What the member used of the perks of their levels, newest first."""
        record: MemberRecord = view(self)
        request = USES.request(first=first, after=after)
        return USES.connection(await perk_resolvers.perk_uses(record.id, request), request)

    @computed(SEES_TIMELINES, cost=READS)
    async def timeline(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[TimelineItem] | None:
        """What happened in the member's life, newest first, also what staff alone may see."""
        record: MemberRecord = view(self)
        request = TIMELINE.request(first=first, after=after)
        page = await timeline_resolvers.timeline(info.context, record.id, request, for_staff=True)
        return TIMELINE.connection(page, request)


@object_type(policy=READS_THE_LOG)
class AuditTarget:
    """What was acted upon."""

    kind: str
    """What it is: `member`, `account`, `keys`, `events`, `file`, `level`, `perk`, `level_rules`,
    `earning_rule`, `reward`, `programme`; further kinds may come."""

    @computed(READS_THE_LOG)
    def id(self) -> strawberry.ID:
        """A member's global id; for other kinds the code or the name that it goes by."""
        target: audit.Target = view(self)
        if target.kind == "member":
            return encode_global_id("Member", UUID(target.id))
        return strawberry.ID(target.id)


@input_type()
class AuditTargetInput:
    """Of what the log is asked, as `AuditEntry.target` names it."""

    kind: str
    """What it is, for example `member`, `level`, `perk`, `earning_rule`, `programme`."""

    id: str
    """A member's global id; for other kinds the code or the name that it goes by."""


@object_type(policy=READS_THE_LOG)
class AuditEntry:
    """One row of the audit log, which is never changed."""

    seq: int
    """Its number in the log, without gaps from 1."""

    at: datetime
    """When it was done."""

    actor: str
    """Who did it: `staff:` and the login, `cli:` and the user of a command, `job:` and its name."""

    action: str
    """What was done, for example `account.disable`; further actions may come."""

    target: AuditTarget | None
    """What it was done to; null where it was nothing of its own."""

    before: str | None
    """How it was before, as a JSON text; null where nothing was or nothing changed."""

    after: str | None
    """How it was afterwards, or what was asked, as a JSON text."""

    request_id: str
    """The request that did it, as logs and answers name it."""

    @computed(READS_THE_LOG)
    def hash(self) -> str:
        """The hash over this row and all before it, in hexadecimal: keep it to compare later."""
        entry: audit.AuditEntry = view(self)
        return entry.hash.hex()


@object_type(policy=staff_with())
class Staff(ServiceDesk, ComplaintMonitoring, RecommendationModels):
    """The member of staff who asks, and what their roles let them see."""

    name: str
    """What people call them."""

    @computed(staff_with())
    def login(self) -> str:
        """The login, for ever."""
        account: Account = view(self)
        return account.code

    @computed(staff_with())
    def roles(self, info: Info) -> list[StaffRole]:
        """What the token that asks may do."""
        caller = info.context.caller
        return [role for role in StaffRole if caller is not None and role in caller.roles]

    @audited(SEES_MEMBERS)
    async def member(
        self, info: Info, by: Annotated[MemberReference, argument("Who.")]
    ) -> StaffMember | None:
        """A member; null when the reference names nobody. Each look is in the audit log."""
        reference = by.value(field=["by"])
        member: StaffMember | None = view(await resolvers.member(info.context, reference))
        return member

    @computed(READS_THE_LOG, cost=READS)
    async def audit_log(
        self,
        first: First = 20,
        after: After = None,
        of: Annotated[AuditTargetInput | None, argument("Only what was done to this.")] = None,
    ) -> Connection[AuditEntry] | None:
        """What staff and operators did and looked at, newest first."""
        request = AUDIT.request(first=first, after=after)
        return AUDIT.connection(await resolvers.audit_log(request, _target(of)), request)

    @computed(DEFINES, cost=LEVELS)
    async def levels(self) -> list[LevelDefinition] | None:
        """The levels as they are defined, from the base upwards."""
        found: list[LevelDefinition] = view(await defining.levels())
        return found

    @computed(DEFINES, cost=READS)
    async def level_rules(self) -> LevelRules | None:
        """What counts for levels, and for how long they hold."""
        rules: LevelRules = view(await defining.level_rules())
        return rules

    @computed(DEFINES, cost=RULES_READ)
    async def earning_rules(self) -> list[EarningRule] | None:
        """The newest version of each earning rule that was published, by code."""
        rules: list[EarningRule] = view(await settings.earning_rules())
        return rules

    @computed(DEFINES, cost=READS)
    async def earning_rule_history(
        self,
        code: Annotated[str, argument("Of which rule.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[PublishedEarningRule] | None:
        """All versions of an earning rule, newest first."""
        request = RULES.request(first=first, after=after)
        return RULES.connection(await settings.published_rules(code, request), request)

    @computed(DEFINES, cost=TEXTS_READ)
    async def notification_texts(self) -> list[NotificationText] | None:
        """The text that each kind of notification has now, by kind."""
        texts: list[NotificationText] = view(await notification_resolvers.defined_texts())
        return texts

    @computed(DEFINES, cost=READS)
    async def notification_text_history(
        self,
        kind: Annotated[str, argument("Of which kind.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[NotificationText] | None:
        """All texts that staff gave to a kind, newest first."""
        request = TEXTS.request(first=first, after=after)
        return TEXTS.connection(await notification_resolvers.text_history(kind, request), request)

    @computed(DEFINES, cost=READS)
    async def programme(self, info: Info) -> ProgrammeSettings | None:
        """The programme as it is set up."""
        programme: ProgrammeSettings = view(await settings.programme(info.context))
        return programme

    @computed(SEES_SERVICE)
    def service_terms(self) -> ServiceTerms | None:
        """When service is there, and what it promises."""
        return ServiceTerms()

    @computed(SETS_UP, cost=EXPORTS)
    async def programme_file(self) -> str | None:
        """All settings as one YAML file, which `importProgramme` takes."""
        return await settings.exported()

    @audited(SEES_POINTS)
    async def pending_adjustments(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Adjustment] | None:
        """The corrections of points that wait for approval, oldest first; each look is recorded."""
        request = PENDING.request(first=first, after=after)
        return PENDING.connection(
            await adjusting.pending_adjustments(info.context, request), request
        )

    @audited(SENDS)
    async def redemptions(
        self,
        info: Info,
        status: Annotated[RedemptionStatus, argument("Only those that stand so.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[StaffRedemption] | None:
        """The redemptions to be worked on, the oldest first; each look is recorded."""
        request = QUEUE.request(first=first, after=after)
        page = await redeeming.queue(info.context, request, status=status)
        return QUEUE.connection(page, request)

    @computed(SEES_PARTNERS, cost=READS)
    async def partners(
        self, first: First = 20, after: After = None
    ) -> Connection[GamePartner] | None:
        """The partner platforms whose games give points, by code."""
        request = PARTNERS.request(first=first, after=after)
        return PARTNERS.connection(await partnering.partners_page(request), request)

    @computed(SEES_PARTNERS, cost=READS)
    async def partner(self, code: Annotated[str, argument("Its code.")]) -> GamePartner | None:
        """The partner platform with this code; null where there is none."""
        found: GamePartner | None = view(await partnering.find_partner(code))
        return found

    @computed(DEFINES_CAMPAIGNS, cost=READS)
    async def game_campaigns(
        self,
        partner: Annotated[str, argument("The code of the partner.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[StaffGameCampaign] | None:
        """The campaigns of a partner, the first to close first."""
        request = CAMPAIGNS.request(first=first, after=after)
        return CAMPAIGNS.connection(await game_resolvers.campaigns_of(partner, request), request)

    # Not `audited`, which would run it in one transaction: an audit sees each batch in a snapshot
    # of its own, and inside a transaction that sees what is committed meanwhile it would take
    # postings under way for violations, and freeze sound accounts. It records by itself, before
    # it answers, that it was asked for; `audit_ledger` asserts that no transaction is open.
    @computed(READS_AUDITS, cost=AUDITS)
    async def ledger_audit(self, info: Info) -> LedgerAudit | None:
        """Audit the ledger now: every account, or as many as a request's time allows."""
        found: LedgerAudit = view(await auditing.ledger_audit(info.context))
        return found


async def staff(info: Info) -> Staff | None:
    """The member of staff who asks."""
    account: Staff = view(await resolvers.staff(info.context))
    return account


def _target(of: AuditTargetInput | None) -> audit.Target | None:
    if of is None:
        return None
    named = str(decode_uuid(of.id, "Member")) if of.kind == "member" else of.id
    return audit.Target(kind=of.kind, id=named)
