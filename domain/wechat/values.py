"""What the calls to WeChat give and take."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal, NewType

from domain.wechat.credentials import SessionKey

OpenId = NewType("OpenId", str)
"""A user inside one app: another app id knows the same person by another openid."""

UnionId = NewType("UnionId", str)
"""A user across all apps bound to one WeChat Open Platform account."""

MessageLanguage = Literal["zh_CN", "zh_HK", "zh_TW", "en_US"]
ProgramVersion = Literal["release", "trial", "develop"]


@dataclass(frozen=True, slots=True)
class WeChatSession:
    """The answer to a login code. `unionid` is None if the app has no Open Platform account."""

    openid: OpenId
    unionid: UnionId | None
    session_key: SessionKey


@dataclass(frozen=True, slots=True)
class WeChatPhone:
    """A phone number WeChat has verified. The digits stay out of the text of this object.

    `number` carries the country code when it is not +86; `national_number` never does;
    `country_code` is digits without the plus.
    """

    number: str = field(repr=False)
    national_number: str = field(repr=False)
    country_code: str


class TextScene(IntEnum):
    """Where a text was written, in WeChat's own numbers."""

    PROFILE = 1
    COMMENT = 2
    FORUM = 3
    SOCIAL = 4


class TextSuggestion(StrEnum):
    """What to do with a checked text."""

    PASS = "pass"  # noqa: S105 - WeChat's word for a harmless text
    REVIEW = "review"
    """A person should look. Also used for a suggestion that this version does not know."""

    RISKY = "risky"
    UNCHECKED = "unchecked"
    """WeChat gave no opinion, because the user did not open the app within two hours (61010)."""


@dataclass(frozen=True, slots=True)
class TextVerdict:
    """WeChat's opinion of a text. `label` is its category, 100 meaning that nothing is wrong."""

    suggestion: TextSuggestion
    label: int | None
    trace_id: str | None


class SubscribeOutcome(StrEnum):
    """What became of a subscribe message. Only SENT used up the user's consent."""

    SENT = "sent"
    REFUSED = "refused"
    """The user gave no consent for this template, or it is used up (43101)."""

    TEMPLATE_UNKNOWN = "template_unknown"
    """The app has no such template (40037)."""

    CONTENT_INVALID = "content_invalid"
    """A value breaks the rule of its keyword, such as 20 characters for `thing` (47003)."""

    RECIPIENT_UNKNOWN = "recipient_unknown"
    """The openid is not one of this app's (40003)."""


@dataclass(frozen=True, slots=True)
class SubscribeResult:
    """The outcome, and WeChat's own words about it (which keyword is wrong, for one)."""

    outcome: SubscribeOutcome
    detail: str
