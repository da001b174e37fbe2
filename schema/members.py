"""Members: the home of everything that belongs to one person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from domain.members import InterestSource
from domain.rewards import CouponStatus
from resolvers import ledger as ledger_resolvers
from resolvers import members as resolvers
from resolvers import profile as profile_resolvers
from resolvers import purchases as purchase_resolvers
from resolvers import recommendations as recommendation_resolvers
from resolvers import rewards as reward_resolvers
from resolvers.records import MemberRecord
from schema import changes as changed
from schema.catalogue import Theme
from schema.connections import FIRST_MAX, After, Connection, First, checked_first
from schema.cost import READS, STATEMENT_COST, Cost
from schema.fields import Info, argument, computed, enum_type, object_type, view
from schema.ledger import ENTRIES, AsOf, Kinds, KnownAt, LedgerEntry, PointsBalance, past_moment
from schema.node import Node, node_type
from schema.policies import OWNER
from schema.purchases import PURCHASES, Purchase
from schema.recommendations import Recommendations, RecommendationSurface, popular_shelf
from schema.rewards import COUPONS, Coupon
from schema.scalars import URL, PhoneNumber
from schema.tiers import Tier, tier_of

enum_type(
    InterestSource,
    descriptions={
        "DECLARED": "The member said so.",
        "INFERRED": "It follows from what the member did.",
    },
)


@object_type(policy=OWNER)
class Interest:
    """A theme that a member cares for."""

    theme: Theme
    """The theme."""

    source: InterestSource
    """Where it is known from; what is declared beats what is inferred."""

    weight: float
    """How much, 0 to 1; 1 for what is declared."""


@node_type(policy=OWNER, key="id", load=resolvers.member_node, reads=MemberRecord)
class Member(Node):
    """A member of the programme. Blocks are null when the service behind them fails."""

    @computed(OWNER, cost=READS, versioned=True)
    async def version(self) -> str | None:
        """Changes whenever something of the member changes; compare it, do not read it."""
        record: MemberRecord = view(self)
        return str((await record.freshness()).version)

    @computed(OWNER)
    def nickname(self) -> str:
        """What the member wants to be called; empty where they did not say."""
        record: MemberRecord = view(self)
        return record.member.nickname

    @computed(OWNER)
    def avatar_url(self) -> URL | None:
        """The member's picture."""
        record: MemberRecord = view(self)
        return URL(record.member.avatar_url) if record.member.avatar_url else None

    @computed(OWNER)
    def birthday(self) -> date | None:
        """The member's day of birth."""
        record: MemberRecord = view(self)
        return record.member.birthday

    @computed(OWNER)
    def gender(self) -> str | None:
        """`female`, `male` or `other`; null where the member did not say."""
        record: MemberRecord = view(self)
        return record.member.gender

    @computed(OWNER, cost=READS, versioned=True)
    async def phone_masked(self) -> PhoneNumber | None:
        """The member's telephone number with its middle hidden; null while none is bound."""
        record: MemberRecord = view(self)
        phone = await record.phone()
        return PhoneNumber(phone) if phone else None

    @computed(OWNER)
    def preferred_channel(self) -> str | None:
        """The code of the channel by which the member wants to be reached."""
        record: MemberRecord = view(self)
        return record.member.preferred_channel

    @computed(OWNER)
    def joined_at(self) -> datetime:
        """When the member joined."""
        record: MemberRecord = view(self)
        return record.member.joined_at

    @computed(OWNER, cost=READS, versioned=True)
    async def unread_count(self) -> int | None:
        """How many notifications the member has not read."""
        record: MemberRecord = view(self)
        return (await record.freshness()).unread

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=100), versioned=True)
    async def interests(self) -> list[Interest] | None:
        """The themes that the member cares for, declared ones first, then by weight."""
        record: MemberRecord = view(self)
        interests: list[Interest] = view(await profile_resolvers.interests(record.id))
        return interests

    @computed(OWNER, cost=READS, versioned=True)
    async def tier(self) -> Tier | None:
        """The member's level; null while the programme has no levels."""
        record: MemberRecord = view(self)
        standing = await record.standing()
        return tier_of(standing, joined_at=record.member.joined_at) if standing else None

    @computed(OWNER, cost=READS, versioned=True)
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

    @computed(OWNER, cost=READS, versioned=True)
    async def ledger(
        self, first: First = 20, after: After = None, kinds: Kinds = None
    ) -> Connection[LedgerEntry] | None:
        """The journal of points, newest first."""
        record: MemberRecord = view(self)
        request = ENTRIES.request(first=first, after=after)
        page = await ledger_resolvers.journal(record.id, request, kinds=kinds)
        return ENTRIES.connection(page, request)

    @computed(OWNER, cost=READS, versioned=True)
    async def coupons(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        status: Annotated[CouponStatus | None, argument("Only those that stand so.")] = None,
    ) -> Connection[Coupon] | None:
        """The member's coupons, those that expire soonest first."""
        record: MemberRecord = view(self)
        request = COUPONS.request(first=first, after=after)
        page = await reward_resolvers.coupons(info.context, record.id, request, status=status)
        return COUPONS.connection(page, request)

    @computed(OWNER, cost=READS, versioned=True)
    async def purchases(
        self, first: First = 20, after: After = None
    ) -> Connection[Purchase] | None:
        """The member's orders, newest first."""
        record: MemberRecord = view(self)
        request = PURCHASES.request(first=first, after=after)
        page = await purchase_resolvers.member_purchases(record.id, request)
        return PURCHASES.connection(page, request)

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items="first", of=("items",)))
    async def changes(
        self, since: changed.Since = None, first: changed.First = FIRST_MAX
    ) -> changed.Changes | None:
        """What happened since a client last looked, so that it fetches only that again."""
        record: MemberRecord = view(self)
        page: changed.Changes = await changed.changes_of(record.id, since=since, first=first)
        return page

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items="first", of=("items",)), versioned=True)
    async def recommendations(
        self,
        surface: Annotated[RecommendationSurface, argument("Where they will be shown.")],
        first: First = 10,
    ) -> Recommendations | None:
        """What to show to the member."""
        return popular_shelf(await recommendation_resolvers.popular(first=checked_first(first)))


async def me(info: Info) -> Member | None:
    """The member who asks."""
    member: Member = view(await resolvers.me(info.context))
    return member
