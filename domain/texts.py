"""Checks of texts that enter the programme, before any of them reaches a database.

PostgreSQL refuses NUL in a text and a lone surrogate has no UTF-8, while SQLite would keep the
first; both are refused here, so that the two databases hold the same. Control characters are
refused too: they have no place in a name, and forge lines in logs. So are those that turn the
direction of what follows them, beyond the text itself, and a text that shows nothing. Everything
else is kept exactly as it came: emoji with their joiners, right-to-left marks, either form of an
accent. A character is a Unicode code point, the unit in which both databases count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidInput

Field = Sequence[str]
"""The path of a value inside the input, outermost first."""

# C0 (NUL among them), DEL and C1 controls, and the code points of surrogates.
_REFUSED: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_REFUSED_IN_LINES: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# Embeddings, overrides and isolates (Unicode Standard Annex 9). The marks that only hint at a
# direction (LRM, RLM, ALM) are ordinary parts of Arabic and Hebrew texts.
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Letters and a pattern of Braille by name, which are blank all the same.
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Not Cn: what this Python does not know yet may be next year's emoji.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Mn", "Zl", "Zp", "Zs"})
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")


def is_storable(text: str, *, characters_max: int) -> bool:
    """Whether a text of one line may be stored, or compared with what is stored: 1 to so many."""
    return 1 <= len(text) <= characters_max and _REFUSED.search(text) is None


def clean_text(
    text: str,
    *,
    field: Field,
    characters_max: int,
    characters_min: int = 0,
    lines: bool = False,
) -> str:
    """The text, unchanged; InvalidInput that names `field` when it breaks a rule.

    An empty text is one with nothing to say, and `characters_min` decides of it; one that is not
    empty must show something. `lines` allows tabs and line feeds, for texts of more than one line.
    """
    if len(text) < characters_min:
        raise _invalid(field, f"at least {characters_min} characters")
    if len(text) > characters_max:
        raise _invalid(field, f"at most {characters_max} characters")
    if (_REFUSED_IN_LINES if lines else _REFUSED).search(text):
        raise _invalid(field, "no control characters")
    if _TURNS.search(text):
        raise _invalid(field, "no characters that turn the direction of text")
    if text and not _shows_something(text):
        raise _invalid(field, "more than blanks")
    return text


def clean_code(code: str, *, field: Field, characters_max: int) -> str:
    """A code that merchants give to things, unchanged: ASCII letters, digits and `_ . : -`.

    InvalidInput that names `field` when it is empty, too long or has other characters.
    """
    clean_text(code, field=field, characters_max=characters_max, characters_min=1)
    if not _CODE.fullmatch(code):
        raise _invalid(field, "ASCII letters, digits and _ . : - only, a letter or digit first")
    return code


def _shows_something(text: str) -> bool:
    """Whether a character of it is seen: no blank, no joiner, no accent without a letter."""
    return any(one not in _FILLERS and unicodedata.category(one) not in _INVISIBLE for one in text)


def _invalid(field: Field, rule: str) -> InvalidInput:
    return InvalidInput(field=tuple(field), rule=rule)
