"""What changed since a client last looked: the member's stream of events, as ids to fetch again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import strawberry

from domain.outbox import Announced
from resolvers import changes as resolvers
from schema.connections import FIRST_MAX, KeysetList, checked_first
from schema.fields import argument, computed, object_type, view
from schema.node import encode_global_id
from schema.policies import OWNER

EVENTS: Final = KeysetList("events", (int,))
"""Cursors into a member's stream, the same for `changes` and for subscriptions."""

Identify: TypeAlias = Callable[[Announced], strawberry.ID]


def _member(event: Announced) -> strawberry.ID:
    return encode_global_id("Member", event.member_id)


def _entry(event: Announced) -> strawberry.ID:
    return encode_global_id("LedgerEntry", f"{event.member_id}:{event.facts['seq']}")


def _purchase(event: Announced) -> strawberry.ID:
    return encode_global_id("Purchase", f"{event.member_id}:{event.facts['purchase_id']}")


def _redemption(event: Announced) -> strawberry.ID:
    return encode_global_id("Redemption", f"{event.member_id}:{event.facts['redemption']}")


def _coupon(event: Announced) -> strawberry.ID:
    return encode_global_id("Coupon", f"{event.member_id}:{event.facts['coupon']}")


def _game_reward(event: Announced) -> strawberry.ID:
    return encode_global_id("GameReward", event.facts["grant_id"])


def _notification(event: Announced) -> strawberry.ID:
    key = f"{event.member_id}:{event.facts['notification_id']}"
    return encode_global_id("Notification", key)


def _export(event: Announced) -> strawberry.ID:
    # The id of one that was asked for by a record which was joined to the member's is as it was.
    asked_as = event.facts.get("asked_as", event.member_id)
    return encode_global_id("DataExport", f"{asked_as}:{event.facts['export_id']}")


def _ticket(event: Announced) -> strawberry.ID:
    return encode_global_id("Ticket", event.facts["ticket"])


CHANGED: Final[dict[str, tuple[str, Identify]]] = {
    "MemberJoined": ("MEMBER_JOINED", _member),
    "ProfileUpdated": ("PROFILE_UPDATED", _member),
    "InterestsDeclared": ("INTERESTS_DECLARED", _member),
    "InterestsInferred": ("INTERESTS_INFERRED", _member),
    "RecommendationsRefreshed": ("RECOMMENDATIONS_REFRESHED", _member),
    "PhoneBound": ("PHONE_BOUND", _member),
    "EmailSet": ("EMAIL_SET", _member),
    "SubscribeMessagesAccepted": ("SUBSCRIBE_MESSAGES_ACCEPTED", _member),
    "PhoneUnbound": ("PHONE_UNBOUND", _member),
    "MembersMerged": ("MEMBERS_MERGED", _member),
    "MembersParted": ("MEMBERS_PARTED", _member),
    "DataExportReady": ("DATA_EXPORT_READY", _export),
    "AccountDeletionRequested": ("ACCOUNT_DELETION_REQUESTED", _member),
    "AccountDeletionCancelled": ("ACCOUNT_DELETION_CANCELLED", _member),
    # The member is not there any more to see this one; partners are told.
    "MemberErased": ("MEMBER_ERASED", _member),
    "ConsentChanged": ("CONSENT_CHANGED", _member),
    "NotInterestedSet": ("NOT_INTERESTED_SET", _member),
    "ServiceContactsSet": ("SERVICE_CONTACTS_SET", _member),
    "PointsChanged": ("POINTS_CHANGED", _entry),
    "LevelChanged": ("LEVEL_CHANGED", _member),
    "LevelRenewed": ("LEVEL_RENEWED", _member),
    "LevelAtRisk": ("LEVEL_AT_RISK", _member),
    "PurchaseRecorded": ("PURCHASE_RECORDED", _purchase),
    "PurchaseAmended": ("PURCHASE_AMENDED", _purchase),
    "PurchaseRefunded": ("PURCHASE_REFUNDED", _purchase),
    "OrderNoticeRecorded": ("ORDER_NOTICE_RECORDED", _purchase),
    "RewardRedeemed": ("REWARD_REDEEMED", _redemption),
    "RedemptionCancelled": ("REDEMPTION_CANCELLED", _redemption),
    "RedemptionAddressed": ("REDEMPTION_ADDRESSED", _redemption),
    "RedemptionShipped": ("REDEMPTION_SHIPPED", _redemption),
    "RedemptionDelivered": ("REDEMPTION_DELIVERED", _redemption),
    "CouponReserved": ("COUPON_RESERVED", _coupon),
    "CouponUsed": ("COUPON_USED", _coupon),
    "CouponReleased": ("COUPON_RELEASED", _coupon),
    "RewardGranted": ("GAME_REWARD_GRANTED", _game_reward),
    "RewardReversed": ("GAME_REWARD_REVERSED", _game_reward),
    "MemberBound": ("GAME_BOUND", _member),
    "MemberUnbound": ("GAME_UNBOUND", _member),
    "PerkUsed": ("PERK_USED", _member),
    "PerkUseCancelled": ("PERK_USE_CANCELLED", _member),
    "AddressAdded": ("ADDRESS_ADDED", _member),
    "AddressRemoved": ("ADDRESS_REMOVED", _member),
    "TicketUpdated": ("TICKET_UPDATED", _ticket),
    "TicketTextChecked": ("TICKET_TEXT_CHECKED", _ticket),
    "Notified": ("NOTIFIED", _notification),
    "NotificationsRead": ("NOTIFICATIONS_READ", _member),
    "NotificationPreferencesSet": ("NOTIFICATION_PREFERENCES_SET", _member),
}
"""For each kind of event: what clients call it, and the object that it is about.

A test holds that every event that the domain announces about a member stands here.
"""


@object_type(policy=OWNER)
class Change:
    """Something that happened to the member."""

    @computed(OWNER)
    def kind(self) -> str:
        """What happened, for example `POINTS_CHANGED`; further kinds may come."""
        event: Announced = view(self)
        return CHANGED[event.kind][0]

    @computed(OWNER)
    def id(self) -> strawberry.ID:
        """The object that is other than before, or new: an entry, a purchase, or the member."""
        event: Announced = view(self)
        return CHANGED[event.kind][1](event)

    @computed(OWNER)
    def occurred_at(self) -> datetime:
        """When it was written."""
        event: Announced = view(self)
        return event.announced_at


@object_type(policy=OWNER)
class Changes:
    """What happened to the member after a cursor, in order."""

    cursor: str
    """Where this page ends; give it as `since` to go on."""

    version: str
    """The member's version as of this page; with `more`, that of a page to come."""

    more: bool
    """Whether further changes are there already."""

    items: list[Change]
    """The changes, oldest first."""


Since: TypeAlias = Annotated[
    str | None,
    argument("The cursor of an earlier answer; from the oldest change that is kept without one."),
]
First: TypeAlias = Annotated[int, argument(f"How many at most, 1 to {FIRST_MAX}.")]


def position(since: str | None) -> int | None:
    """The position behind a cursor. Raises CodedError for a text that is none."""
    if since is None:
        return None
    [after] = EVENTS.key(since, argument="since")
    assert isinstance(after, int), "the list's key is one whole number"
    return after


async def changes_of(member_id: UUID, *, since: str | None, first: int) -> Changes:
    """The page of changes after `since`."""
    page = await resolvers.changes(member_id, after=position(since), limit=checked_first(first))
    return Changes(
        cursor=EVENTS.cursor((page.end,)),
        version=str(page.last),
        more=page.end < page.last,
        items=[view(event) for event in page.events],
    )
