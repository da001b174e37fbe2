"""Who may call: access tokens, the keys that sign them, API clients, staff accounts.

A caller is known by the access token alone (`AccessTokens.verify`); whether the token was ended
early is asked of the database: here for shops, partners and staff, in `domain.members` for members.
"""

from domain.access.callers import Caller, CallerKind, InvalidAccessToken
from domain.access.clients import (
    ApiClient,
    RegisterClient,
    authenticate_client,
    disable_client,
    find_client,
    issue_client_token,
    register_client,
    revoke_client_tokens,
)
from domain.access.key_ring import KeyRing, create_key_set
from domain.access.key_set import KeyLifetimes, KeySetInvalid, Rotation
from domain.access.staff import (
    RegisterStaff,
    StaffAccount,
    authenticate_staff,
    disable_staff,
    find_staff,
    issue_staff_token,
    register_staff,
    revoke_staff_tokens,
)
from domain.access.tokens import TOKEN_LIFE, AccessTokens

__all__ = [
    "TOKEN_LIFE",
    "AccessTokens",
    "ApiClient",
    "Caller",
    "CallerKind",
    "InvalidAccessToken",
    "KeyLifetimes",
    "KeyRing",
    "KeySetInvalid",
    "RegisterClient",
    "RegisterStaff",
    "Rotation",
    "StaffAccount",
    "authenticate_client",
    "authenticate_staff",
    "create_key_set",
    "disable_client",
    "disable_staff",
    "find_client",
    "find_staff",
    "issue_client_token",
    "issue_staff_token",
    "register_client",
    "register_staff",
    "revoke_client_tokens",
    "revoke_staff_tokens",
]
