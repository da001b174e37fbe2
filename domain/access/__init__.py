"""Who may call: access tokens, the keys that sign them, the accounts of shops, partners and staff.

A caller is known by the access token alone (`AccessTokens.verify`); whether the token was ended
early is asked of the database: here for accounts, in `domain.members` for members. Files of secrets
of any kind are kept here too: closed to others, replaced whole, written by one at a time.
"""

from domain.access.accounts import (
    ACCOUNT_KINDS,
    Account,
    RegisterAccount,
    accounts,
    authenticate_account,
    change_grants,
    disable_account,
    enable_account,
    find_account,
    issue_token,
    register_account,
    revoke_tokens,
)
from domain.access.callers import Caller, CallerKind, InvalidAccessToken
from domain.access.grants import Scope, StaffRole, clean_grants
from domain.access.key_ring import KeyRing, create_key_set
from domain.access.key_set import KeyLifetimes, KeySetInvalid, Rotation
from domain.access.secret_file import (
    SecretFileUnusable,
    SecretStamp,
    read_secret,
    secret_lock,
    secret_stamp,
    write_secret,
)
from domain.access.tokens import TOKEN_LIFE, AccessTokens

__all__ = [
    "ACCOUNT_KINDS",
    "TOKEN_LIFE",
    "AccessTokens",
    "Account",
    "Caller",
    "CallerKind",
    "InvalidAccessToken",
    "KeyLifetimes",
    "KeyRing",
    "KeySetInvalid",
    "RegisterAccount",
    "Rotation",
    "Scope",
    "SecretFileUnusable",
    "SecretStamp",
    "StaffRole",
    "accounts",
    "authenticate_account",
    "change_grants",
    "clean_grants",
    "create_key_set",
    "disable_account",
    "enable_account",
    "find_account",
    "issue_token",
    "read_secret",
    "register_account",
    "revoke_tokens",
    "secret_lock",
    "secret_stamp",
    "write_secret",
]
