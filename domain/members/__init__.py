"""Members: the identities that lead to them, their sessions, their profile, their interests.

A member joins by the first sign-in with WeChat or by an external reference that an import brings,
and is one person for life.
"""

from domain.members.consents import (
    Consent,
    ConsentText,
    SetConsent,
    consent_texts,
    consents,
    has_consented,
    publish_consent_texts,
    set_consent,
)
from domain.members.contacts import ServiceContact, service_contacts, set_service_contacts
from domain.members.external import register_external_members
from domain.members.importing import Arrived, BroughtMember, bring_profiles, check_brought
from domain.members.interest import (
    THEMES_MAX,
    WEIGHT_PERMILLE_MAX,
    Interest,
    InterestSource,
    interests,
    replace_declared_interests,
)
from domain.members.joining import Known, identities
from domain.members.leaving import lock_leaving
from domain.members.listing import MemberListing, list_members
from domain.members.looking_up import look_up
from domain.members.member_tables import MEMBER_TABLES
from domain.members.merging import (
    ProfileMerged,
    heirs,
    lock_records,
    merge_profiles,
    part_profiles,
    records_of,
)
from domain.members.notes import AddMemberNote, MemberNote, add_member_note, member_notes
from domain.members.phone_binding import BoundElsewhere, bind_phone, phone_from_wechat
from domain.members.phone_keys import (
    PhoneKeyFile,
    PhoneKeysInvalid,
    PhoneVault,
    create_phone_keys,
    phone_vault,
    use_phone_keys,
)
from domain.members.phone_sign_in import SignInWithPhone, sign_in_with_phone
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
from domain.members.sign_in_codes import (
    RequestSignInCode,
    forget_codes_of,
    forget_sign_in_codes,
    request_sign_in_code,
)
from domain.members.timeline import (
    TIMELINE,
    Telling,
    TimelineItem,
    Told,
    timeline,
    timeline_consumer,
)
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
    "TIMELINE",
    "UNCHANGED",
    "WEIGHT_PERMILLE_MAX",
    "AddMemberNote",
    "Arrived",
    "BoundElsewhere",
    "BroughtMember",
    "ByBindToken",
    "ByExternalReference",
    "ById",
    "ByPairwiseReference",
    "ByPhone",
    "ByWeChat",
    "Change",
    "Consent",
    "ConsentText",
    "Gender",
    "Identity",
    "IdentityKind",
    "Interest",
    "InterestSource",
    "Known",
    "Member",
    "MemberListing",
    "MemberNote",
    "MemberRef",
    "PhoneKeyFile",
    "PhoneKeysInvalid",
    "PhoneVault",
    "ProfileMerged",
    "RequestSignInCode",
    "ServiceContact",
    "SessionLifetimes",
    "SessionTokens",
    "SetConsent",
    "SignInWithPhone",
    "SignInWithWeChat",
    "SignedIn",
    "Telling",
    "TimelineItem",
    "Told",
    "Unchanged",
    "UpdateProfile",
    "add_member_note",
    "authenticate",
    "bind_phone",
    "bind_phone_identities",
    "bind_phone_identity",
    "bring_profiles",
    "check_brought",
    "consent_texts",
    "consents",
    "create_phone_keys",
    "ended",
    "forget_codes_of",
    "forget_sign_in_codes",
    "has_consented",
    "heirs",
    "identities",
    "interests",
    "list_members",
    "lock_leaving",
    "lock_phone",
    "lock_phones",
    "lock_records",
    "look_up",
    "mask_phone",
    "member_notes",
    "members_by_ids",
    "members_by_phones",
    "merge_profiles",
    "open_session",
    "parse_phone",
    "part_profiles",
    "phone_from_wechat",
    "phone_masked",
    "phone_vault",
    "phones_of",
    "publish_consent_texts",
    "records_of",
    "refresh_session",
    "register_external_members",
    "replace_declared_interests",
    "request_sign_in_code",
    "resolve_members",
    "service_contacts",
    "set_consent",
    "set_service_contacts",
    "sign_in_with_phone",
    "sign_in_with_wechat",
    "sign_out",
    "timeline",
    "timeline_consumer",
    "unbind_phones",
    "update_profile",
    "use_phone_keys",
]
