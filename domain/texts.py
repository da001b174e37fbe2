"""Checks of texts that enter the programme, before any of them reaches a database.

PostgreSQL refuses NUL in a text and a lone surrogate has no UTF-8, while SQLite would keep the
first; both are refused here, so that the two databases hold the same. Control characters are
refused too: they have no place in a name, and forge lines in logs. Everything else is kept exactly
as it came: emoji with their joiners, right-to-left marks, either form of an accent. A character is
a Unicode code point, the unit in which both databases count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidInput

Field = Sequence[str]
"""The path of a value inside the input, outermost first."""

# C0 (NUL among them), DEL and C1 controls, and the code points of surrogates.
_REFUSED: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_REFUSED_IN_LINES: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
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

    `lines` allows tabs and line feeds, for texts of more than one line.
    """
    if len(text) < characters_min:
        raise _invalid(field, f"at least {characters_min} characters")
    if len(text) > characters_max:
        raise _invalid(field, f"at most {characters_max} characters")
    if (_REFUSED_IN_LINES if lines else _REFUSED).search(text):
        raise _invalid(field, "no control characters")
    return text


def clean_code(code: str, *, field: Field, characters_max: int) -> str:
    """A code that merchants give to things, unchanged: ASCII letters, digits and `_ . : -`.

    InvalidInput that names `field` when it is empty, too long or has other characters.
    """
    clean_text(code, field=field, characters_max=characters_max, characters_min=1)
    if not _CODE.fullmatch(code):
        raise _invalid(field, "ASCII letters, digits and _ . : - only, a letter or digit first")
    return code


def _invalid(field: Field, rule: str) -> InvalidInput:
    return InvalidInput(field=tuple(field), rule=rule)
