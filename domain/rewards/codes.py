"""Codes of coupons: what a member shows to a shop, and nobody guesses.

Sixteen characters of Crockford's base 32 are eighty random bits: whoever tries a thousand codes a
second against a million live ones finds one in 38 million years.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from domain.texts import without_unseen

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No I, L, O and U: they are misread, or make words."""

CHARACTERS: Final = 16
GROUP: Final = 4

_AS_MEANT: Final = str.maketrans("ILO", "110")


def new_code() -> str:
    """A code like `7Q4M-2RXA-K0DW-93TB`, from the system's source of randomness."""
    number = secrets.randbits(CHARACTERS * 5)
    return _grouped("".join(ALPHABET[number >> 5 * n & 31] for n in range(CHARACTERS)))


def as_printed(code: str) -> str:
    """The code as it was given out, however it was typed: case, blanks, hyphens, I, L and O.

    Nor do characters count that nobody sees, which copying brings along. What is no code of this
    form stays as it is.
    """
    seen = "".join(one for one in without_unseen(code) if unicodedata.category(one) != "Zs")
    plain = seen.upper().replace("-", "").translate(_AS_MEANT)
    if len(plain) == CHARACTERS and all(one in ALPHABET for one in plain):
        return _grouped(plain)
    return code


def _grouped(plain: str) -> str:
    return "-".join(plain[n : n + GROUP] for n in range(0, CHARACTERS, GROUP))
