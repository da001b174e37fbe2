"""Checks of texts that enter the programme, before any of them reaches a database.

PostgreSQL refuses NUL in a text and a lone surrogate has no UTF-8, while SQLite would keep the
first; both are refused here, so that the two databases hold the same. Control characters are
refused too: they have no place in a name, and forge lines in logs. So are those that turn the
direction of what follows them, beyond the text itself, and a text that shows nothing. Everything
else is kept exactly as it came: emoji with their joiners, right-to-left marks, either form of an
accent. A character is a Unicode code point, the unit in which both databases count.

A text that tells one thing from another - the id of an order, a reference - must not have
characters that nobody sees, which would make two of what people take for one: see `is_identity`.
What is only looked for may have them, so that what was stored before this rule is still found.

What somebody says in their own words is mended instead: see `clean_words`.

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

# What a name may hold beside what is seen, each where it belongs. The pictures are those of
# `Extended_Pictographic` (Unicode Technical Standard 51), those to come among them.
_PICTURE: Final = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf"
    "\u23e9-\u23f3\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2605"
    "\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734"
    "\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797\u27a1\u27b0\u27bf"
    "\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f0ff\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f171\U0001f17e"
    "\U0001f17f\U0001f18e\U0001f191-\U0001f19a\U0001f1ad-\U0001f1e5\U0001f201-\U0001f20f\U0001f21a"
    "\U0001f22f\U0001f232-\U0001f23a\U0001f23c-\U0001f23f\U0001f249-\U0001f3fa"
    "\U0001f400-\U0001f53d\U0001f546-\U0001f64f\U0001f680-\U0001f6ff\U0001f774-\U0001f77f"
    "\U0001f7d5-\U0001f7ff\U0001f80c-\U0001f80f\U0001f848-\U0001f84f\U0001f85a-\U0001f85f"
    "\U0001f888-\U0001f88f\U0001f8ae-\U0001f8ff\U0001f90c-\U0001f93a\U0001f93c-\U0001f945"
    "\U0001f947-\U0001faff\U0001fc00-\U0001fffd]"
)
_SHADED: Final = f"{_PICTURE}[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]?"
_EMOJI: Final = re.compile(
    # A flag of a part of a country, a key, and pictures that are joined.
    "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
    "|[0-9#*]\ufe0f\u20e3"
    f"|{_SHADED}(?:\u200d{_SHADED})*"
)
_NON_JOINER: Final = "\u200c"
_JOINERS: Final = "\u200c\u200d"
_IDEOGRAPH_SELECTORS: Final = frozenset(map(chr, range(0xE0100, 0xE01F0)))
_VIRAMA: Final = 9
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_UNSEEN_IN_IDENTITIES: Final = frozenset({"Cf", "Zl", "Zp"})
# What may be ignored before it is known (Default_Ignorable_Code_Point, unassigned), and selectors
# of ideographs.
_IGNORED: Final = re.compile("[\u2065\ufff0-\ufff8\U000e0000-\U000e0fff]")
# Planes of rare ideographs, of which this Python does not know the newest.
_IDEOGRAPHS: Final = re.compile("[\U00020000-\U0002fffd\U00030000-\U0003fffd]")
# Marks by name, which nobody sees.
_UNSEEN_MARKS: Final = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f]")
_ACCENTS_MAX: Final = 3
_MARKS_MAX: Final = 5
"""In a row on one letter: accents, and all marks; those of Myanmar and Tibet stack highest."""
_WORD: Final = re.compile(r"\w+")
_LOOK_ALIKE: Final = frozenset(
    {"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN", "LISU"}
)

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")


def is_storable(text: str, *, characters_max: int) -> bool:
    """Whether a text of one line may be stored, or compared with what is stored: 1 to so many."""
    return 1 <= len(text) <= characters_max and _REFUSED.search(text) is None


def is_identity(text: str, *, characters_max: int) -> bool:
    """Whether a text may name one thing from now on: storable, and nothing in it is unseen.

    Unseen are the format characters of Unicode (category Cf: zero-width spaces, joiners, marks of
    direction, soft hyphens), what only varies its neighbour, blanks by the name of a letter, and
    separators of lines and paragraphs.
    """
    return is_storable(text, characters_max=characters_max) and not _has_unseen(text)


def clean_identity(text: str, *, field: Field, characters_max: int) -> str:
    """The text, unchanged, which names one thing; InvalidInput that names `field` otherwise."""
    clean_text(text, field=field, characters_max=characters_max, characters_min=1)
    if _has_unseen(text):
        raise _invalid(field, "no invisible characters")
    return text


def without_unseen(text: str) -> str:
    """The text as people see it: without what `is_identity` refuses."""
    return text if text.isascii() else "".join(one for one in text if not _is_unseen(one))


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


def clean_words(text: str, *, field: Field, characters_max: int) -> str:
    """What somebody wrote in lines of their own words, as it is kept; InvalidInput as `clean_text`.

    Lines end with a line feed, however the keyboard or the mail program ended them. What turns the
    direction of text is left out: phones put such characters around numbers that are pasted, and
    nobody who writes knows of them.
    """
    plain = _TURNS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return clean_text(
        plain, field=field, characters_min=1, characters_max=characters_max, lines=True
    )


def clean_name(name: str, *, field: Field, characters_max: int) -> str:
    """What people call somebody, unchanged; InvalidInput where it can pass for another name.

    Refused are characters that are not seen or mean nothing to anybody else (private, unassigned),
    but for those that writing needs: joiners, selectors and tags within an emoji, joiners of the
    scripts that have some, selectors of an ideograph. So are more accents on a letter than any
    script has, and words that mix alphabets whose letters look alike, as a Cyrillic letter in a
    Latin word. What NFKC makes of it counts.
    """
    clean_text(name, field=field, characters_max=characters_max)
    rest = _EMOJI.sub(" ", name)
    if any(_is_out_of_place(rest, place) for place in range(len(rest))):
        raise _invalid(field, "no invisible characters")
    if _is_piled_up(rest):
        raise _invalid(field, f"at most {_ACCENTS_MAX} accents on one letter")
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


def _has_unseen(text: str) -> bool:
    return not text.isascii() and any(map(_is_unseen, text))


def _is_unseen(one: str) -> bool:
    if one in _FILLERS or _UNSEEN_MARKS.match(one) or _IGNORED.match(one):
        return True
    return unicodedata.category(one) in _UNSEEN_IN_IDENTITIES


def _shows_something(text: str) -> bool:
    """Whether a character of it is seen: no blank, no joiner, no accent without a letter."""
    return any(one not in _FILLERS and unicodedata.category(one) not in _INVISIBLE for one in text)


def _is_out_of_place(name: str, place: int) -> bool:
    """Whether the character there is not seen, and does nothing for its neighbours either."""
    one, before = name[place], name[:place][-1:]
    if one in _JOINERS:
        return not _joins(before, name[place + 1 : place + 2], one)
    if one in _IDEOGRAPH_SELECTORS:
        return not unicodedata.name(before or "a", "").startswith("CJK")
    if one in _FILLERS or _UNSEEN_MARKS.match(one):
        return True
    return unicodedata.category(one) in _UNSEEN and not _IDEOGRAPHS.match(one)


def _joins(before: str, after: str, joiner: str) -> bool:
    """Whether a joiner stands where it belongs: at a virama, or in Arabic."""
    if not before:
        return False
    if _VIRAMA in {unicodedata.combining(one) for one in before + after}:
        return True
    return joiner == _NON_JOINER and all(
        unicodedata.name(one, "").startswith("ARABIC") for one in (before, after or "a")
    )


def _is_piled_up(name: str) -> bool:
    """Whether more marks stand on one letter than any script needs."""
    accents = marks = 0
    for one in name:
        if unicodedata.category(one) not in {"Mn", "Me"}:
            accents = marks = 0
            continue
        marks += 1
        accents += unicodedata.combining(one) > 0
        if accents > _ACCENTS_MAX or marks > _MARKS_MAX:
            return True
    return False


def _alphabet(letter: str) -> str | None:
    """Which of the alphabets with letters that look alike it is of, None for none of them."""
    first = unicodedata.name(letter, "").partition(" ")[0]
    return first if first in _LOOK_ALIKE else None


def _invalid(field: Field, rule: str) -> InvalidInput:
    return InvalidInput(field=tuple(field), rule=rule)
