"""Members: the home of everything that belongs to one person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import strawberry

from domain.members import IdentityKind, InterestSource
from domain.rewards import ADDRESSES_MAX, CouponStatus
from resolvers import consents as consent_resolvers
from resolvers import contacts as contact_resolvers
from resolvers import deliveries as delivery_resolvers
from resolvers import game_bindings
from resolvers import games as game_resolvers
from resolvers import ledger as ledger_resolvers
from resolvers import members as resolvers
from resolvers import notifications as notification_resolvers
from resolvers import profile as profile_resolvers
from resolvers import purchases as purchase_resolvers
from resolvers import recommendations as recommendation_resolvers
from resolvers import redemptions as redemption_resolvers
from resolvers import rewards as reward_resolvers
from resolvers import tickets as ticket_resolvers
from resolvers import tiers as tier_resolvers
from resolvers import timeline as timeline_resolvers
from resolvers.records import MemberRecord
from schema import changes as changed
from schema.addresses import Address
from schema.catalogue import Theme
from schema.connections import FIRST_MAX, After, Connection, First, checked_first
from schema.consents import Consent
from schema.contacts import CONTACTS, ServiceContact
from schema.cost import READS, STATEMENT_COST, Cost
from schema.deliveries import SubscribeMessages
from schema.fields import Info, argument, computed, enum_type, object_type, view
from schema.game_bindings import PARTNERS_LIKELY, GameBinding
from schema.games import GAME_REWARDS, GameReward
from schema.ledger import ENTRIES, AsOf, Kinds, KnownAt, LedgerEntry, PointsBalance, past_moment
from schema.node import Node, node_type
from schema.notification_settings import NotificationPreferences
from schema.notifications import INBOX, Notification
from schema.policies import OWNER
from schema.purchases import PURCHASES, Purchase
from schema.recommendations import OnShelf, OnSurface, Recommendations
from schema.redemptions import REDEMPTIONS, Redemption
from schema.returns import PREVIEW, RefundPreview, preview_of
from schema.rewards import COUPONS, Coupon
from schema.scalars import URL, Fen, PhoneNumber
from schema.tickets import TICKETS, Ticket
from schema.tiers import HISTORY, LevelChange, Tier, tier_of
from schema.timeline import TIMELINE, TimelineItem

enum_type(
    InterestSource,
    descriptions={
        "DECLARED": "The member said so.",
        "INFERRED": "It follows from what the member did.",
    },
)


enum_type(
    IdentityKind,
    descriptions={
        "WECHAT_OPENID": "The member in one of the mini-programs.",
        "WECHAT_UNIONID": "The member in all mini-programs of one WeChat account.",
        "EXTERNAL": "What a shop or another system calls the member.",
        "PHONE": "A telephone number.",
        "ALIPAY": "The member in Alipay.",
        "SHOP_CARD": "A card of a shop.",
    },
)


@object_type(policy=OWNER)
class Identity:
    """Something that the member is known by."""

    kind: IdentityKind
    """What it is."""

    label: str
    """Enough of it to know it again, never all of it."""

    bound_at: datetime
    """Since when it leads to the member."""


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

    @computed(OWNER, cost=READS, versioned=True)
    async def email_masked(self) -> str | None:
        """The member's e-mail address, most of it hidden; null while none is confirmed."""
        record: MemberRecord = view(self)
        return await record.email_masked()

    # Not versioned: what is sent counts them down without an event.
    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=5))
    async def subscribe_messages(
        self, info: Info, app_id: Annotated[str, argument("The app id of a mini-program.")]
    ) -> list[SubscribeMessages] | None:
        """WeChat's messages that the member may allow in a mini-program, by template."""
        record: MemberRecord = view(self)
        found = await delivery_resolvers.subscribe_messages(info.context, record.id, app_id)
        messages: list[SubscribeMessages] = view(found)
        return messages

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
    async def deletes_at(self) -> datetime | None:
        """When the account will be deleted, as was asked for; null while nobody asked for it."""
        record: MemberRecord = view(self)
        return await record.deletes_at()

    @computed(OWNER, cost=READS, versioned=True)
    async def unread_count(self) -> int | None:
        """How many notifications the member has not read."""
        record: MemberRecord = view(self)
        return (await record.freshness()).unread

    @computed(OWNER, cost=READS, versioned=True)
    async def notifications(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Notification] | None:
        """What the member was told, newest first."""
        record: MemberRecord = view(self)
        request = INBOX.request(first=first, after=after)
        page = await notification_resolvers.inbox(info.context, record.id, request)
        return INBOX.connection(page, request)

    @computed(OWNER, cost=READS, versioned=True)
    async def notification_preferences(self) -> NotificationPreferences | None:
        """How the member wants to be told."""
        record: MemberRecord = view(self)
        preferences: NotificationPreferences = view(
            await notification_resolvers.preferences(record.id)
        )
        return preferences

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=100), versioned=True)
    async def interests(self) -> list[Interest] | None:
        """The themes that the member cares for, declared ones first, then by weight."""
        record: MemberRecord = view(self)
        interests: list[Interest] = view(await profile_resolvers.interests(record.id))
        return interests

    # Not versioned: an identity is bound without an event.
    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=5))
    async def identities(self) -> list[Identity] | None:
        """What the member is known by, oldest first."""
        record: MemberRecord = view(self)
        identities: list[Identity] = view(await profile_resolvers.identities(record.id))
        return identities

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=5), versioned=True)
    async def consents(self) -> list[Consent] | None:
        """What the member said last of each purpose, by purpose; see `consentTexts`."""
        record: MemberRecord = view(self)
        consents: list[Consent] = view(await consent_resolvers.consents(record.id))
        return consents

    @computed(OWNER, cost=CONTACTS, versioned=True)
    async def service_contacts(self) -> list[ServiceContact] | None:
        """To whom the member turns, in the order that staff gave them."""
        record: MemberRecord = view(self)
        contacts: list[ServiceContact] = view(await contact_resolvers.service_contacts(record.id))
        return contacts

    # Not versioned: what happened stands here a moment after its event.
    @computed(OWNER, cost=READS)
    async def timeline(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[TimelineItem] | None:
        """What happened in the member's life, newest first; a moment after it happened."""
        record: MemberRecord = view(self)
        request = TIMELINE.request(first=first, after=after)
        page = await timeline_resolvers.timeline(info.context, record.id, request)
        return TIMELINE.connection(page, request)

    @computed(OWNER, cost=READS, versioned=True)
    async def tier_history(
        self, first: First = 20, after: After = None
    ) -> Connection[LevelChange] | None:
        """How the member's level changed, newest first."""
        record: MemberRecord = view(self)
        request = HISTORY.request(first=first, after=after)
        return HISTORY.connection(await tier_resolvers.tier_history(record.id, request), request)

    @computed(OWNER, cost=READS, versioned=True)
    async def tier(self) -> Tier | None:
        """The member's level; null while the programme has no levels."""
        record: MemberRecord = view(self)
        return await tier_of(record)

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
    async def redemptions(
        self, first: First = 20, after: After = None
    ) -> Connection[Redemption] | None:
        """What the member redeemed, newest first."""
        record: MemberRecord = view(self)
        request = REDEMPTIONS.request(first=first, after=after)
        page = await redemption_resolvers.redemptions(record.id, request)
        return REDEMPTIONS.connection(page, request)

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=ADDRESSES_MAX), versioned=True)
    async def addresses(self) -> list[Address] | None:
        """Where the member has things sent, the newest first."""
        record: MemberRecord = view(self)
        addresses: list[Address] = view(await redemption_resolvers.addresses(record.id))
        return addresses

    @computed(OWNER, cost=READS, versioned=True)
    async def purchases(
        self, first: First = 20, after: After = None
    ) -> Connection[Purchase] | None:
        """The member's orders, newest first."""
        record: MemberRecord = view(self)
        request = PURCHASES.request(first=first, after=after)
        page = await purchase_resolvers.member_purchases(record.id, request)
        return PURCHASES.connection(page, request)

    @computed(OWNER, cost=READS, versioned=True)
    async def tickets(self, first: First = 20, after: After = None) -> Connection[Ticket] | None:
        """What the member told us, newest first."""
        record: MemberRecord = view(self)
        request = TICKETS.request(first=first, after=after)
        return TICKETS.connection(await ticket_resolvers.tickets(record.id, request), request)

    @computed(OWNER, cost=Cost(own=STATEMENT_COST, items=PARTNERS_LIKELY))
    async def game_bindings(self) -> list[GameBinding] | None:
        """The partner platforms that the member allows to know and to reward them."""
        record: MemberRecord = view(self)
        bindings: list[GameBinding] = view(await game_bindings.bindings(record.id))
        return bindings

    @computed(OWNER, cost=READS)
    async def game_rewards(
        self, first: First = 20, after: After = None
    ) -> Connection[GameReward] | None:
        """What the member won in games, newest first."""
        record: MemberRecord = view(self)
        request = GAME_REWARDS.request(first=first, after=after)
        page = await game_resolvers.game_rewards(record.id, request)
        return GAME_REWARDS.connection(page, request)

    # Not versioned: what would come of it may change at any moment at which points expire.
    @computed(OWNER, cost=PREVIEW)
    async def refund_preview(
        self,
        info: Info,
        order_id: Annotated[strawberry.ID, argument("The order, a `Purchase` of the member's.")],
        amount: Annotated[Fen, argument("How much of it would be given back, from 1 fen on.")],
    ) -> RefundPreview | None:
        """What giving money back for an order would do; null for what is no order of theirs."""
        return await preview_of(info, order_id=order_id, amount=amount)

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
        self, info: Info, surface: OnSurface, first: First = 10, shelf: OnShelf = None
    ) -> Recommendations | None:
        """What to show to the member."""
        record: MemberRecord = view(self)
        shown: Recommendations = view(
            await recommendation_resolvers.recommended(
                info.context, record.id, surface=surface, shelf=shelf, first=checked_first(first)
            )
        )
        return shown


async def me(info: Info) -> Member | None:
    """The member who asks."""
    member: Member = view(await resolvers.me(info.context))
    return member
