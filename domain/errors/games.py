"""Rewards of games that cannot be granted, and campaigns that cannot be set up."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class GameRefusal(Refusal):
    """The branch of rewards of games that cannot be granted, and their campaigns."""


@dataclass(eq=False, kw_only=True)
class NotBound(GameRefusal):
    """Returned when the member does not allow, or no longer allows, this partner."""

    code = ErrorCode.NOT_BOUND
    retryable = True


@dataclass(eq=False, kw_only=True)
class CampaignClosed(GameRefusal):
    """Returned when the partner has no such campaign, or the event fell outside its window."""

    code = ErrorCode.CAMPAIGN_CLOSED
    retryable = True


@dataclass(eq=False, kw_only=True)
class BudgetExhausted(GameRefusal):
    """Returned when less is left of the campaign's budget than the reward is worth."""

    code = ErrorCode.BUDGET_EXHAUSTED
    retryable = True


@dataclass(eq=False, kw_only=True)
class CapReached(GameRefusal):
    """Returned when a day's cap of the partner, the campaign or the member would be exceeded."""

    code = ErrorCode.CAP_REACHED
    retryable = True


@dataclass(eq=False, kw_only=True)
class TooOld(GameRefusal):
    """Returned when the event happened more than 30 days ago."""

    code = ErrorCode.TOO_OLD


@dataclass(eq=False, kw_only=True)
class DisclosureUnknown(GameRefusal):
    """Returned when a prize was drawn under another disclosure than the campaign's frozen one."""

    code = ErrorCode.DISCLOSURE_UNKNOWN


@dataclass(eq=False, kw_only=True)
class PrizeUnknown(GameRefusal):
    """Returned when the frozen disclosure has no prize of this code."""

    code = ErrorCode.PRIZE_UNKNOWN


@dataclass(eq=False, kw_only=True)
class DisclosureFrozen(GameRefusal):
    """Returned when the campaign has opened with its disclosure, which holds to the end."""

    code = ErrorCode.DISCLOSURE_FROZEN


@dataclass(eq=False, kw_only=True)
class GameCampaignUnknown(GameRefusal):
    """Returned when there is no campaign with this id."""

    code = ErrorCode.GAME_CAMPAIGN_UNKNOWN


@dataclass(eq=False, kw_only=True)
class GameCampaignExists(GameRefusal):
    """Returned when the partner has another campaign of this code."""

    code = ErrorCode.GAME_CAMPAIGN_EXISTS
    campaign: str


@dataclass(eq=False, kw_only=True)
class BudgetSpent(GameRefusal):
    """Returned when a campaign's budget would be less than what is `spent` of it."""

    code = ErrorCode.BUDGET_SPENT
    spent: int


@dataclass(eq=False, kw_only=True)
class ConsentRequired(GameRefusal):
    """Returned when the member did not say yes to being known to the partner."""

    code = ErrorCode.CONSENT_REQUIRED


@dataclass(eq=False, kw_only=True)
class BindTokenInvalid(GameRefusal):
    """Returned when the token is none of this partner's, was exchanged before, or has expired."""

    code = ErrorCode.BIND_TOKEN_INVALID
