"""Interactive games: partner platforms, the keys they sign with, and the tokens they call with.

How a partner connects is docs/partners.md. `signatures` and `partner_terms` decide purely.
"""

from domain.games.client_assertions import ASSERTION_CHARACTERS_MAX
from domain.games.partner_guard import PartnerGuard, partner_guard
from domain.games.partner_keys import (
    AddPartnerKey,
    KeyAdded,
    KeyKind,
    PartnerKey,
    add_partner_key,
    keys_of,
    retire_partner_key,
)
from domain.games.partner_tokens import ByAssertion, BySecret, Granted, GrantRefused, grant_token
from domain.games.partners import (
    CHANGEABLE,
    ChangePartner,
    Partner,
    RegisterPartner,
    change_partner,
    disable_partner,
    enable_partner,
    find_partner,
    known_partner,
    partner_of,
    partners,
    register_partner,
)
from domain.games.signatures import SignatureHeaders, SignatureRefused, verify_signature

__all__ = [
    "ASSERTION_CHARACTERS_MAX",
    "CHANGEABLE",
    "AddPartnerKey",
    "ByAssertion",
    "BySecret",
    "ChangePartner",
    "GrantRefused",
    "Granted",
    "KeyAdded",
    "KeyKind",
    "Partner",
    "PartnerGuard",
    "PartnerKey",
    "RegisterPartner",
    "SignatureHeaders",
    "SignatureRefused",
    "add_partner_key",
    "change_partner",
    "disable_partner",
    "enable_partner",
    "find_partner",
    "grant_token",
    "keys_of",
    "known_partner",
    "partner_guard",
    "partner_of",
    "partners",
    "register_partner",
    "retire_partner_key",
    "verify_signature",
]
