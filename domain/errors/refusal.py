"""The root of the tree, the whole tree drawn, and the refusals that any context may raise.

Refusal
├── InvalidInput                    a value breaks a documented rule of its field
├── MemberNotFound                  no member answers to the reference
├── IdempotencyConflict             the same key was used with another input
├── InsufficientPoints              the balance does not cover the request
├── PointsOutOfRange                an amount outside the range of points
├── PointsRefusal                   the journal cannot take what is asked
│   ├── AccountFrozen               an audit found a fault: nothing may be spent until it is mended
│   ├── HoldNotOpen                 no such hold, or it was captured, released or has run out
│   ├── HoldExists                  the order has another hold, open or captured
│   ├── TransferLimitExceeded       more than a member may give on one day
│   ├── EntryNotReversible          no such entry, or one of a kind that cannot be undone so
│   ├── ReversalExceeds             more than is left of the entry
│   └── ReversedBefore              the same cause undid a part of this entry already
├── AdjustmentRefusal               an adjustment cannot be approved
│   ├── AdjustmentUnknown           there is none with this id
│   ├── ApprovalByRequester         whoever asked for it cannot approve it
│   └── AdjustmentNotPending        it took effect before
├── AccessRefusal                   an API client or staff account cannot be given what is asked
│   ├── AccountUnknown              no enabled account has this code
│   ├── CodeTaken                   another account has this code
│   └── ScopeNotGranted             the account does not hold the scope
├── ExportLimitReached              a member asked for their data too often within a day
├── OrderRefusal                    an order cannot be recorded as it was sent
│   ├── AmountInvalid               an amount is negative or above 2^53−1 fen
│   ├── QuantityInvalid             a quantity is negative or above 2^31−1
│   ├── FutureDated                 the order was placed in the future
│   ├── CurrencyMismatch            the order is in another currency than the programme's
│   ├── TextInvalid                 a code or a name is empty, too long or not plain text
│   └── LinesInvalid                no line, too many lines, or one line id twice
├── RefundRefusal                   a refund cannot be recorded as it was sent
│   ├── OrderUnknown                this shop has recorded no such order, or its member is no more
│   ├── RefundExceeds               more than is left of what was paid
│   ├── RefundLineUnknown           the order has no such line
│   ├── RefundLineExceeds           more than is left of a line, in pieces or money
│   └── RefundBeforeOrder           the order was placed later
├── RewardRefusal                   a reward cannot be redeemed, or a redemption cannot go on
│   ├── RewardUnknown               there is none with this id
│   ├── RewardClosed                it cannot be redeemed yet, or no longer
│   ├── OutOfStock                  fewer are left than were asked for
│   ├── LevelTooLow                 it is for members of a higher level
│   ├── RewardLimitReached          more than one member may have
│   ├── RewardExists                another reward has this code
│   ├── RewardChanged               somebody changed it meanwhile
│   ├── AddressUnknown              the member has no such address
│   ├── AddressLimitReached         as many addresses as one may have
│   ├── RedemptionUnknown           the member has no such redemption
│   ├── RedemptionNotCancellable    it was cancelled, shipped, or a coupon of it is not whole
│   └── RedemptionNotOpen           it is not where this step begins
├── CouponRefusal                   a coupon cannot be used as is asked
│   ├── CouponUnknown               no coupon has this code, or none that this shop has reserved
│   ├── CouponExpired               it was not used in time
│   ├── CouponUsed                  it was used
│   ├── CouponRevoked               it was taken back
│   ├── CouponReserved              another order has it
│   ├── CouponNotReserved           the order has not reserved it, or not in time
│   ├── CouponBelowMinimum          the order's amount is too small for it
│   └── CouponNotStackable          the order has one already
├── DefinitionRefusal               what the programme is cannot be defined or changed as was asked
│   ├── DefinitionChanged           somebody changed it meanwhile
│   ├── LevelUnknown                no level has this code
│   ├── LevelExists                 another level has this code
│   ├── LevelsOutOfOrder            a level would ask for less than the one below it
│   ├── PerkExists                  the level has another perk of this code
│   └── ProgrammeFileInvalid        a programme's file breaks rules
├── LevelGrantUnknown               there is no grant of a level with this id, or it has ended
├── PerkRefusal                     a perk cannot be used
│   ├── PerkUnknown                 there is none with this id, or none of the member's own level
│   ├── PerkHoldsByItself           it takes effect without being used
│   ├── PerkNeedsBirthday           its quota is for a birthday, which the member has not told
│   ├── PerkQuotaUsed               its quota is used up
│   └── PerkUseUnknown              there is no use with this id
├── PartnerRefusal                  a partner platform cannot be set up as was asked
│   ├── PartnerUnknown              no partner platform has this code
│   ├── PartnerKeyUnknown           the partner has no such key
│   └── PartnerKeyLimitReached      as many keys of the kind as a partner may have
├── GameRefusal                     a reward of a game cannot be granted, or its campaign set up
│   ├── NotBound                    the member does not allow this partner
│   ├── CampaignClosed              the partner has none such, or it was not open then
│   ├── BudgetExhausted             less is left of the budget
│   ├── CapReached                  a day's cap would be exceeded
│   ├── TooOld                      the event happened more than 30 days ago
│   ├── DisclosureUnknown           the prize was drawn under another disclosure
│   ├── PrizeUnknown                the disclosure has no such prize
│   ├── DisclosureFrozen            the campaign has opened with its disclosure
│   ├── GameCampaignUnknown         no campaign has this id
│   ├── GameCampaignExists          the partner has another one of this code
│   ├── BudgetSpent                 more is spent than the budget would be
│   ├── ConsentRequired             the member did not say yes
│   └── BindTokenInvalid            not the partner's, exchanged before, or expired
├── NotificationUnknown             the member has no such notification
├── AttachmentUnknown               no such file of the caller's, or a message has it already
├── MessageNotHeld                  no such message, or its text is not held
├── FeedbackRefusal                 something cannot be done to a ticket
│   ├── TicketUnknown               there is none such, or none of the member's
│   ├── TicketNotOpen               closed, merged, or not where this step begins
│   ├── TicketsNotMergeable         one and the same, or of two members
│   ├── TopicUnknown                there is none such in use
│   ├── CauseUnknown                there is none such in use, or it is of another topic
│   ├── TicketOrderUnknown          the member has no such order
│   ├── AssigneeUnknown             nobody with this login serves members
│   └── TooManyOpenTickets          as many of the member's own are open as may
├── RecommendationRefusal           something cannot be said of recommendations
│   └── PersonalizationOff          the member does not want personal ones
├── WeChatRefusal                   WeChat did not vouch for the user
│   ├── UnknownApp                  the app id is not one of this programme
│   ├── WeChatCodeInvalid           the login code is unknown or has expired
│   ├── WeChatCodeUsed              the login code was exchanged before
│   ├── WeChatPhoneCodeInvalid      the code of getPhoneNumber is unknown, used or has expired
│   ├── WeChatRateLimited           WeChat limits how often this user may sign in
│   ├── WeChatUserBlocked           WeChat classes the user as high-risk
│   └── WeChatUnavailable           WeChat is busy, slow or not reachable
├── PhoneRefusal                    a phone number cannot be proved
│   ├── SignInCodeInvalid           wrong, used, too old or tried too often
│   ├── SignInCodeTooSoon           another code was sent a minute ago, or ten in a day
│   ├── SmsUnavailable              text messages cannot be sent now
│   └── PhoneOfAnother              the number leads to a record that cannot be joined
├── EmailRefusal                    an e-mail address cannot be proved
│   ├── EmailCodeInvalid            wrong, used, too old or tried too often
│   ├── EmailCodeTooSoon            another code was sent a minute ago, or ten in a day
│   ├── EmailUnavailable            e-mail cannot be sent now
│   └── EmailRefused                the mail server takes none for the address
├── ConsentRefusal                  a consent cannot be given so
│   ├── ConsentUnknown              the programme asks for none to this purpose
│   └── ConsentOutdated             other words than the current ones are agreed to
├── MergeRefusal                    two records cannot be parted again
│   ├── MergeUnknown                there is no such merge
│   └── MergeNotUndoable            too long ago, undone already, or merged again since
└── SessionRefusal                  a refresh token cannot be exchanged
    ├── RefreshTokenInvalid         unknown, expired or signed out
    └── RefreshTokenReused          presented twice: its whole family is revoked
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.errors.codes import ErrorCode


@dataclass(eq=False, kw_only=True)
class Refusal(Exception):
    """The root. `field` is the path inside the input, outermost first, where one is to blame."""

    code: ClassVar[ErrorCode]
    retryable: ClassVar[bool] = False
    field: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.__dict__}"


@dataclass(eq=False, kw_only=True)
class InvalidInput(Refusal):
    """Returned when a value breaks a documented rule of its field; `rule` says which."""

    code = ErrorCode.INVALID_INPUT
    rule: str


@dataclass(eq=False, kw_only=True)
class MemberNotFound(Refusal):
    """Returned when no member answers to the reference."""

    code = ErrorCode.MEMBER_NOT_FOUND


@dataclass(eq=False, kw_only=True)
class IdempotencyConflict(Refusal):
    """Returned when the same key was used with another input; names the fields that differ."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT
    key: str
    differing: tuple[str, ...]
