"""Members: the identities that lead to them, their sessions, their profile, their interests.

A member joins by the first sign-in with WeChat or by an external reference that an import brings,
and is one person for life.
"""

from domain.members.external import register_external_members
from domain.members.interest import (
    THEMES_MAX,
    WEIGHT_PERMILLE_MAX,
    Interest,
    InterestSource,
    interests,
    replace_declared_interests,
)
from domain.members.joining import identities
from domain.members.looking_up import look_up
from domain.members.member_tables import MEMBER_TABLES
from domain.members.profile import UNCHANGED, Change, Unchanged, UpdateProfile, update_profile
from domain.members.references import (
    ByBindToken,
    ByExternalReference,
    ById,
    ByPairwiseReference,
    ByPhone,
    ByWeChat,
    MemberRef,
    members_by_ids,
    resolve_members,
)
from domain.members.sessions import (
    authenticate,
    ended,
    open_session,
    refresh_session,
    sign_out,
)
from domain.members.sign_in import SignInWithWeChat, sign_in_with_wechat
from domain.members.values import (
    Gender,
    Identity,
    IdentityKind,
    Member,
    SessionLifetimes,
    SessionTokens,
    SignedIn,
)

__all__ = [
    "MEMBER_TABLES",
    "THEMES_MAX",
    "UNCHANGED",
    "WEIGHT_PERMILLE_MAX",
    "ByBindToken",
    "ByExternalReference",
    "ById",
    "ByPairwiseReference",
    "ByPhone",
    "ByWeChat",
    "Change",
    "Gender",
    "Identity",
    "IdentityKind",
    "Interest",
    "InterestSource",
    "Member",
    "MemberRef",
    "SessionLifetimes",
    "SessionTokens",
    "SignInWithWeChat",
    "SignedIn",
    "Unchanged",
    "UpdateProfile",
    "authenticate",
    "ended",
    "identities",
    "interests",
    "look_up",
    "members_by_ids",
    "open_session",
    "refresh_session",
    "register_external_members",
    "replace_declared_interests",
    "resolve_members",
    "sign_in_with_wechat",
    "sign_out",
    "update_profile",
]
