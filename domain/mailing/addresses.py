"""Addresses of e-mail: which are taken, and what of one is shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidInput

EMAIL_CHARACTERS_MAX: Final = 254
_LOCAL_CHARACTERS_MAX: Final = 64

# The dot-atoms of RFC 5322 in front; behind, a name of two labels at least (`xn--` for others than
# ASCII). No quoted names, comments or literal addresses: nobody is reached by them.
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(
    r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])"
)


def clean_email(text: str, *, field: Sequence[str] = ("email",)) -> str:
    """The address, its domain in small letters; InvalidInput for what nobody can be reached by."""
    local, _, domain = text.strip().rpartition("@")
    address = f"{local}@{domain.lower()}"
    if not is_email(address):
        raise InvalidInput(field=tuple(field), rule="an e-mail address, like name@example.com")
    return address


def is_email(address: str) -> bool:
    """Whether this is an address as `clean_email` answers it."""
    local, _, domain = address.rpartition("@")
    return (
        len(address) <= EMAIL_CHARACTERS_MAX
        and 0 < len(local) <= _LOCAL_CHARACTERS_MAX
        and _LOCAL.fullmatch(local) is not None
        and _DOMAIN.fullmatch(domain) is not None
    )


def same_mailbox(address: str) -> str:
    """What two spellings of one mailbox have in common: no server tells capitals apart."""
    return address.lower()


def mask_email(address: str) -> str:
    """Enough of the address for its owner to know it again: "w***@example.com"."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
