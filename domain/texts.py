"""Checks of texts that enter the programme, before any of them reaches a database.

PostgreSQL refuses NUL in a text and a lone surrogate has no UTF-8, while SQLite would keep the
first; both are refused here, so that the two databases hold the same. Control characters are
refused too: they have no place in a name, and forge lines in logs. So are those that turn the
direction of what follows them, beyond the text itself, and a text that shows nothing. Everything
else is kept exactly as it came: emoji with their joiners, right-to-left marks, either form of an
accent. A character is a Unicode code point, the unit in which both databases count.

A name by which people know each other must also be told from another by the eye: see `clean_name`.
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

# What a name may hold beside what is seen, each where it belongs.
_NON_JOINER: Final = "\u200c"
_JOINERS: Final = "\u200c\u200d"
_SELECTORS: Final = "\ufe0e\ufe0f"
_IDEOGRAPH_SELECTORS: Final = frozenset(map(chr, range(0xE0100, 0xE01F0)))
_TAGS: Final = frozenset(map(chr, range(0xE0020, 0xE0080)))
_FLAG: Final = "\U0001f3f4"
"""The flag that tags make one of a country."""
_KEYS: Final = frozenset("0123456789#*\u203c\u2049\u2139\u3030")
_VIRAMA: Final = 9
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
# Marks by name, which nobody sees.
_UNSEEN_MARKS: Final = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0d]")
_WORD: Final = re.compile(r"\w+")
_LOOK_ALIKE: Final = frozenset(
    {"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN", "LISU"}
)

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


def clean_name(name: str, *, field: Field, characters_max: int) -> str:
    """What people call somebody, unchanged; InvalidInput where it can pass for another name.

    Refused are characters that are not seen, but for those that writing needs (the joiners of emoji
    and of the scripts that have some, selectors of a glyph), and words that mix alphabets whose
    letters look alike, as a Cyrillic letter in a Latin word. What NFKC makes of it counts.
    """
    clean_text(name, field=field, characters_max=characters_max)
    if any(_is_out_of_place(name, place) for place in range(len(name))):
        raise _invalid(field, "no invisible characters")
    plain = unicodedata.normalize("NFKC", name)
    # Without accents, each of which would end a word.
    for word in _WORD.findall("".join(one for one in plain if not unicodedata.combining(one))):
        if len({alphabet for one in word if (alphabet := _alphabet(one))}) > 1:
            raise _invalid(field, "no word of letters of several alphabets that look alike")
    return name


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


def _is_out_of_place(name: str, place: int) -> bool:
    """Whether the character there is not seen, and does nothing for its neighbours either."""
    one, before = name[place], name[:place].rstrip(_SELECTORS)[-1:]
    if one in _JOINERS:
        return not _joins(before, name[place + 1 : place + 2], one)
    if one in _SELECTORS:
        return not (before and (_is_pictured(before) or before in _KEYS))
    if one in _IDEOGRAPH_SELECTORS:
        return not unicodedata.name(before or "a", "").startswith("CJK")
    if one in _TAGS:
        return _FLAG not in name[:place]
    if one in _FILLERS or _UNSEEN_MARKS.match(one):
        return True
    return unicodedata.category(one) in _UNSEEN


def _joins(before: str, after: str, joiner: str) -> bool:
    """Whether a joiner stands where it belongs: at a virama, in Arabic, between two pictures."""
    if not before:
        return False
    if _VIRAMA in {unicodedata.combining(one) for one in before + after}:
        return True
    if joiner == _NON_JOINER:
        return all(unicodedata.name(one, "").startswith("ARABIC") for one in (before, after or "a"))
    return bool(after) and _is_pictured(before) and _is_pictured(after)


def _is_pictured(one: str) -> bool:
    """Whether it is drawn as a picture, or shades one: emoji, arrows, hearts."""
    return unicodedata.category(one) in {"So", "Sm", "Sk", "Cn"}


def _alphabet(letter: str) -> str | None:
    """Which of the alphabets with letters that look alike it is of, None for none of them."""
    first = unicodedata.name(letter, "").partition(" ")[0]
    return first if first in _LOOK_ALIKE else None


def _invalid(field: Field, rule: str) -> InvalidInput:
    return InvalidInput(field=tuple(field), rule=rule)
