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
from domain.members.phone_keys import (
    PhoneKeyFile,
    PhoneKeysInvalid,
    PhoneVault,
    create_phone_keys,
    phone_vault,
    use_phone_keys,
)
from domain.members.phones import (
    bind_phone_identities,
    bind_phone_identity,
    lock_phone,
    lock_phones,
    mask_phone,
    members_by_phones,
    parse_phone,
    phone_masked,
    phones_of,
    unbind_phones,
)
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
    "PhoneKeyFile",
    "PhoneKeysInvalid",
    "PhoneVault",
    "SessionLifetimes",
    "SessionTokens",
    "SignInWithWeChat",
    "SignedIn",
    "Unchanged",
    "UpdateProfile",
    "authenticate",
    "bind_phone_identities",
    "bind_phone_identity",
    "create_phone_keys",
    "ended",
    "identities",
    "interests",
    "lock_phone",
    "lock_phones",
    "look_up",
    "mask_phone",
    "members_by_ids",
    "members_by_phones",
    "open_session",
    "parse_phone",
    "phone_masked",
    "phone_vault",
    "phones_of",
    "refresh_session",
    "register_external_members",
    "replace_declared_interests",
    "resolve_members",
    "sign_in_with_wechat",
    "sign_out",
    "unbind_phones",
    "update_profile",
    "use_phone_keys",
]
