"""Deciding a batch of rewards, purely: what each item comes to, by what stands when it is its turn.

Items are decided in their order. What the ledger refuses afterwards is corrected by
`withdraw_grant` and `withdraw_reversal`, so that nothing counts that did not happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import ErrorCode
from domain.games.campaigns import GameCampaign
from domain.games.naming import Standing
from domain.games.reward_items import Candidate, KeptItem, RewardItemKind, RewardStatus, flaw_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of the item at one place of a batch: that of `kept`, or a refusal of its own."""

    kept: KeptItem | None
    is_duplicate: bool = False
    code: ErrorCode | None = None


@dataclass(slots=True, kw_only=True)
class Caps:
    """What may still be granted today: by the partner, and to each member.

    `of_members` is what each member was granted today, `of_campaigns` the part under a campaign.
    """

    partner_left: int
    member_day: int
    of_members: dict[UUID, int] = field(default_factory=dict)
    of_campaigns: dict[tuple[UUID, UUID], int] = field(default_factory=dict)

    def admits(self, member_id: UUID, campaign: GameCampaign, points: int) -> bool:
        """Whether a grant stays within every cap of the day."""
        of_member = self.of_members.get(member_id, 0)
        of_campaign = self.of_campaigns.get((member_id, campaign.id), 0)
        return (
            points <= self.partner_left
            and of_member + points <= self.member_day
            and of_campaign + points <= campaign.points_per_member_day
        )

    def count(self, member_id: UUID, campaign_id: UUID, points: int) -> None:
        """Count a grant of today; a negative number takes one out again."""
        place = (member_id, campaign_id)
        self.of_members[member_id] = self.of_members.get(member_id, 0) + points
        self.of_campaigns[place] = self.of_campaigns.get(place, 0) + points


@dataclass(slots=True, kw_only=True)
class Deciding:
    """A batch in the making: what stands, read under lock, and what was decided so far.

    `kept` are the partner's items by their ids, those of this batch among them from their turn on;
    `waiting` are reversals by the grant that they wait for. `events` are the grants of the business
    events that the batch names, by campaign; `firsts` are those that duplicates among `kept`
    repeat, by their ids. `budgets` are what is left of each campaign.
    """

    partner_id: UUID
    batch_id: str
    now: datetime
    day: date
    members: Mapping[int, UUID | None]
    standings: Mapping[UUID, Standing]
    campaigns: Mapping[UUID, GameCampaign]
    kept: dict[str, KeptItem]
    waiting: dict[str, list[KeptItem]]
    events: dict[tuple[UUID, str], KeptItem]
    firsts: dict[UUID, KeptItem]
    caps: Caps
    budgets: dict[UUID, int]
    grants: list[KeptItem] = field(default_factory=list)
    reversals: list[tuple[KeptItem, KeptItem]] = field(default_factory=list)
    changed: dict[str, KeptItem] = field(default_factory=dict)

    def decide(self, candidates: Sequence[Candidate]) -> list[Answer]:
        """What each item comes to, in order."""
        return [self._decide(candidate) for candidate in candidates]

    def _decide(self, candidate: Candidate) -> Answer:
        if not candidate.texts_are_sound:
            return Answer(kept=None, code=ErrorCode.INVALID_INPUT)
        earlier = self.kept.get(candidate.item.external_id)
        if earlier is not None and earlier.is_remembered:
            if not earlier.is_same(candidate):
                return Answer(kept=None, code=ErrorCode.IDEMPOTENCY_CONFLICT)
            self._resolve_late(earlier)
            return Answer(kept=earlier, is_duplicate=True)
        kept = self._kept(candidate, earlier)
        code = flaw_of(candidate, now=self.now)
        if code is None:
            code = self._judge(candidate, kept)
        if code is not None:
            reject(kept, code)
            kept.first_status = RewardStatus.REJECTED
        self.kept[kept.external_id] = kept
        self.changed[kept.external_id] = kept
        if kept.is_remembered:
            self._resolve_waiting(kept)
        return Answer(kept=kept, is_duplicate=kept.status is RewardStatus.DUPLICATE)

    def _judge(self, candidate: Candidate, kept: KeptItem) -> ErrorCode | None:
        """Why the item is refused; None where it is not, and `kept` says what it comes to."""
        member_id = self.members[candidate.index]
        if member_id is None:
            return ErrorCode.MEMBER_NOT_FOUND
        standing = self.standings.get(member_id)
        is_grant = kept.kind is RewardItemKind.GRANT
        # What was granted may be taken back of those, too, who have left the partner since.
        if standing is None or (is_grant and not standing.is_bound):
            return ErrorCode.NOT_BOUND
        campaign = self.campaigns.get(kept.campaign_id) if kept.campaign_id else None
        if campaign is None or campaign.partner_id != self.partner_id:
            return ErrorCode.CAMPAIGN_CLOSED
        kept.member_id = member_id
        if is_grant:
            return self._grant(candidate, kept, campaign)
        self._reverse(kept)
        return None

    def _grant(
        self, candidate: Candidate, kept: KeptItem, campaign: GameCampaign
    ) -> ErrorCode | None:
        flaw = _grant_flaw(candidate, kept, campaign)
        if flaw is not None:
            return flaw
        event = (campaign.id, kept.business_reference or "")
        first = self.events.get(event) if kept.business_reference else None
        if first is not None:
            return self._repeat(kept, first)
        flaw = self._spend(kept, campaign)
        if flaw is not None:
            return flaw
        kept.status = kept.first_status = RewardStatus.APPLIED
        self.grants.append(kept)
        if kept.business_reference:
            self.events[event] = kept
        return None

    def _repeat(self, kept: KeptItem, first: KeptItem) -> ErrorCode | None:
        """The business event was granted under another id: the same again, or another content."""
        if (first.member_id, first.points) != (kept.member_id, kept.points):
            return ErrorCode.IDEMPOTENCY_CONFLICT
        kept.status = kept.first_status = RewardStatus.DUPLICATE
        kept.id = first.id
        self.firsts[first.id] = first
        return None

    def _spend(self, kept: KeptItem, campaign: GameCampaign) -> ErrorCode | None:
        """Take the points from caps and budget, or say why they cannot be."""
        assert kept.member_id is not None
        if not self.caps.admits(kept.member_id, campaign, kept.points):
            return ErrorCode.CAP_REACHED
        if kept.points > self.budgets[campaign.id]:
            return ErrorCode.BUDGET_EXHAUSTED
        self.caps.count(kept.member_id, campaign.id, kept.points)
        self.caps.partner_left -= kept.points
        self.budgets[campaign.id] -= kept.points
        return None

    def _reverse(self, kept: KeptItem) -> None:
        """Take the grant back, or wait for it."""
        assert kept.reverses is not None
        kept.status = kept.first_status = RewardStatus.PENDING
        grant = self.kept.get(kept.reverses)
        if grant is None or not grant.is_remembered:
            self.waiting.setdefault(kept.reverses, []).append(kept)
            return
        self._resolve(kept, grant)
        kept.first_status = kept.status

    def _resolve_late(self, earlier: KeptItem) -> None:
        """Resolve what waits, or is waited for, though both are there: they came at one moment."""
        self._resolve_waiting(earlier)
        grant = self.kept.get(earlier.reverses) if earlier.reverses else None
        if grant is not None and grant.is_remembered:
            self._resolve_waiting(grant)

    def _resolve_waiting(self, grant: KeptItem) -> None:
        """What became of `grant` is certain now, and so is what waits for it."""
        for reversal in self.waiting.pop(grant.external_id, ()):
            self._resolve(reversal, grant)
            self.changed[reversal.external_id] = reversal

    def _resolve(self, reversal: KeptItem, named: KeptItem) -> None:
        # One business event has one effect, by whichever of its ids that is taken back.
        grant = self.firsts[named.id] if named.status is RewardStatus.DUPLICATE else named
        if flaw := reversal_flaw(reversal, grant):
            reject(reversal, flaw)
            return
        reversal.status = RewardStatus.APPLIED
        grant.reversed_by = reversal.external_id
        self.changed[grant.external_id] = grant
        self.reversals.append((reversal, grant))

    def withdraw_grant(self, grant: KeptItem, code: ErrorCode) -> None:
        """The ledger did not take the grant: what counted on it goes back to how it was."""
        assert grant.member_id is not None
        assert grant.campaign_id is not None
        self.caps.count(grant.member_id, grant.campaign_id, -grant.points)
        self.caps.partner_left += grant.points
        self.budgets[grant.campaign_id] += grant.points
        reject(grant, code)
        grant.first_status, grant.reversed_by = grant.status, None
        for reversal, of in self.reversals:
            if of is grant:
                reversal.status = RewardStatus.PENDING
                if not reversal.is_stored:
                    reversal.first_status = RewardStatus.PENDING
        self.reversals = [pair for pair in self.reversals if pair[1] is not grant]
        for one in self.changed.values():
            if one.status is RewardStatus.DUPLICATE and one.id == grant.id:
                reject(one, code)
                one.first_status, one.id = one.status, uuid7()

    def withdraw_reversal(self, reversal: KeptItem, grant: KeptItem, code: ErrorCode) -> None:
        """The ledger did not take the reversal."""
        grant.reversed_by = None
        if reversal.first_status is not RewardStatus.PENDING:
            reversal.first_status = RewardStatus.REJECTED
        reject(reversal, code)

    def _kept(self, candidate: Candidate, earlier: KeptItem | None) -> KeptItem:
        item = candidate.item
        return KeptItem(
            partner_id=self.partner_id,
            external_id=item.external_id,
            id=uuid7() if earlier is None else earlier.id,
            member_id=None,
            campaign_id=item.campaign_id,
            kind=item.kind,
            points=item.points,
            occurred_at=item.occurred_at,
            received_at=self.now,
            day=self.day,
            batch_id=self.batch_id,
            member_digest=candidate.member_digest,
            content_digest=candidate.content_digest,
            status=RewardStatus.REJECTED,
            first_status=RewardStatus.REJECTED,
            reverses=item.reverses,
            business_reference=item.business_reference,
            prize_code=item.prize_code,
            is_stored=earlier is not None and earlier.is_stored,
        )


def reject(kept: KeptItem, code: ErrorCode) -> None:
    """The item is refused for this."""
    kept.status, kept.code = RewardStatus.REJECTED, code


def reversal_flaw(reversal: KeptItem, grant: KeptItem) -> ErrorCode | None:
    """Why the reversal cannot take this back: it is of one grant, wholly, once."""
    if grant.kind is not RewardItemKind.GRANT or grant.status is RewardStatus.REJECTED:
        return ErrorCode.ENTRY_NOT_REVERSIBLE
    if grant.member_id != reversal.member_id:
        return ErrorCode.MEMBER_NOT_FOUND
    if grant.campaign_id != reversal.campaign_id:
        return ErrorCode.CAMPAIGN_CLOSED
    if grant.points != reversal.points:
        return ErrorCode.AMOUNT_INVALID
    if grant.reversed_by is not None:
        return ErrorCode.REVERSED_BEFORE
    return None


def _grant_flaw(candidate: Candidate, kept: KeptItem, campaign: GameCampaign) -> ErrorCode | None:
    """Why the campaign does not allow the grant; None where it does."""
    if not campaign.is_open(kept.occurred_at):
        return ErrorCode.CAMPAIGN_CLOSED
    if kept.points > campaign.points_per_item:
        return ErrorCode.AMOUNT_INVALID
    return _prize_flaw(candidate, kept, campaign)


def _prize_flaw(candidate: Candidate, kept: KeptItem, campaign: GameCampaign) -> ErrorCode | None:
    """Why a win cannot be referred to the frozen disclosure; None where it can, or is none."""
    item, disclosure = candidate.item, campaign.disclosure
    if item.prize_code is None and item.disclosure_version is None:
        return None
    if disclosure is None or item.disclosure_version != str(disclosure.version):
        return ErrorCode.DISCLOSURE_UNKNOWN
    if item.prize_code is None or disclosure.prize(item.prize_code) is None:
        return ErrorCode.PRIZE_UNKNOWN
    kept.disclosure_version = disclosure.version
    return None
