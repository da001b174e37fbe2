"""Members and their sessions as values. Moments are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.storage import Row


class Gender(StrEnum):
    """What a member says of their gender; saying nothing is None."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member's own particulars as they were when read.

    `version` grows by one with each change of what is shown here or of the declared interests.
    """

    id: UUID
    nickname: str
    avatar_url: str | None
    birthday: date | None
    gender: Gender | None
    preferred_channel: str | None
    joined_at: datetime
    version: int


MEMBER_COLUMNS = (
    "m.id, m.nickname, m.avatar_url, m.birthday, m.gender, m.preferred_channel, m.joined_at,"
    " m.version"
)
"""What `member_of` reads, for statements in which the table `member` is called m."""


def member_of(row: Row) -> Member:
    """The member in a row that has MEMBER_COLUMNS."""
    return Member(
        id=row["id"],
        nickname=row["nickname"],
        avatar_url=row["avatar_url"],
        birthday=row["birthday"],
        gender=None if row["gender"] is None else Gender(row["gender"]),
        preferred_channel=row["preferred_channel"],
        joined_at=row["joined_at"],
        version=row["version"],
    )


class IdentityKind(StrEnum):
    """What can lead to a member."""

    WECHAT_OPENID = "wechat_openid"
    WECHAT_UNIONID = "wechat_unionid"
    EXTERNAL = "external"
    PHONE = "phone"
    ALIPAY = "alipay"
    SHOP_CARD = "shop_card"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One thing a member is known by. Exactly one member has a given one.

    `app_id` is the mini-program of an openid, and empty for the kinds that hold in the whole
    programme. `subject` is the identifier itself: not for the eyes of clients. That of a phone is a
    blind index, so `masked` is what its owner knows it by.
    """

    kind: IdentityKind
    app_id: str
    subject: str = field(repr=False)
    bound_at: datetime
    masked: str | None = None

    @property
    def label(self) -> str:
        """Enough of the subject for its owner to know it again, never all of it."""
        if self.masked is not None:
            return self.masked
        return f"{self.subject[:2]}…{self.subject[-4:]}" if len(self.subject) > 8 else "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLifetimes:
    """How long a sign-in lasts: `idle` after its last refresh, but never beyond `bound` in all."""

    idle: timedelta = timedelta(days=60)
    bound: timedelta = timedelta(days=365)
    access_token: timedelta = timedelta(minutes=15)

    def session_expires_at(self, *, started_at: datetime, now: datetime) -> datetime:
        """When a session that is used now will end."""
        return min(now + self.idle, started_at + self.bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTokens:
    """What a client gets for a session. Both tokens are secrets and stay out of the repr."""

    member_id: UUID
    session_id: UUID
    access_token: str = field(repr=False)
    access_token_expires_at: datetime
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The answer to a sign-in. `is_new_member` is true for exactly one sign-in of each member.

    `twin` is another member who is the same person, as whoever vouched for this one says: the
    `unionid` leads to them.
    """

    member: Member
    session: SessionTokens
    is_new_member: bool
    twin: UUID | None = None
    unionid: str | None = field(default=None, repr=False)
