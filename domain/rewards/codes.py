"""Codes of coupons: what a member shows to a shop, and nobody guesses.

Sixteen characters of Crockford's base 32 are eighty random bits: whoever tries a thousand codes a
second against a million live ones finds one in 38 million years.
"""

from __future__ import annotations

import secrets
from typing import Final

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

    What is no code of this form stays as it is.
    """
    plain = code.upper().replace("-", "").replace(" ", "").translate(_AS_MEANT)
    if len(plain) == CHARACTERS and all(one in ALPHABET for one in plain):
        return _grouped(plain)
    return code


def _grouped(plain: str) -> str:
    return "-".join(plain[n : n + GROUP] for n in range(0, CHARACTERS, GROUP))
