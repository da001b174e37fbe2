"""Texts: what is kept exactly, what never gets in."""

from __future__ import annotations

import pytest

from domain.errors import InvalidInput
from domain.texts import (
    clean_code,
    clean_identity,
    clean_name,
    clean_text,
    clean_words,
    is_identity,
    is_storable,
    without_unseen,
)

KEPT = {
    "Chinese": "小明",
    "a family of one emoji": "👨‍👩‍👧‍👦",
    "a flag and a skin tone": "🇨🇳👍🏽",
    "Arabic": "محمد",
    "Hebrew with marks": "\u200f\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd\u200f abc",
    "a combining accent": "e\u0301",
    "the same accent composed": "\u00e9",
    "a rare Chinese character": "𠮷野家",
    "spaces around": "  a  ",
    "nothing": "",
    "marks that hint at a direction": "\u05e9\u200e!\u061c",
    "an emoji with its presentation": "\u2764\ufe0f",
    "an emoji of tomorrow": "\U0001fadf",
    "a private use character": "\ue000",
    "markup": "<b>'; DROP TABLE member; --",
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_a_text_is_kept_exactly(text: str) -> None:
    assert clean_text(text, field=("nickname",), characters_max=64) == text


REFUSED = {
    "NUL": "a\x00b",
    "NUL alone": "\x00",
    "a line feed": "a\nb",
    "a tab": "a\tb",
    "a bell": "a\x07",
    "an escape": "\x1b[31m",
    "delete": "a\x7f",
    "a C1 control": "a\x85",
    "a high surrogate": "a\ud83d",
    "a low surrogate": "\udc68a",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_never_gets_in(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_text(text, field=("profile", "nickname"), characters_max=64)
    assert refusal.value.field == ("profile", "nickname")
    assert refusal.value.rule == "no control characters"
    assert not is_storable(text, characters_max=64)


SHOWS_NOTHING = {
    "a space": " ",
    "wide spaces": "\u3000\u2003 ",
    "no-break and zero-width": "\u00a0\u200b\ufeff",
    "a joiner": "\u200d",
    "a soft hyphen": "\u00ad",
    "separators": "\u2028\u2029",
    "Hangul fillers": "\u115f\u3164\uffa0",
    "an empty pattern of Braille": "\u2800",
    "accents on nothing": "\u0301\u0302",
    "a variation of nothing": "\ufe0f",
    "a tag": "\U000e0041",
}


@pytest.mark.parametrize("text", SHOWS_NOTHING.values(), ids=SHOWS_NOTHING.keys())
def test_a_text_that_shows_nothing_is_refused(text: str) -> None:
    for lines in (False, True):
        with pytest.raises(InvalidInput) as refusal:
            clean_text(text, field=("nickname",), characters_max=64, lines=lines)
        assert (refusal.value.field, refusal.value.rule) == (("nickname",), "more than blanks")
    assert clean_text(f"{text}a", field=("nickname",), characters_max=64) == f"{text}a"


@pytest.mark.parametrize("turn", [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"])
def test_what_turns_the_direction_of_text_is_refused(turn: str) -> None:
    for text in (f"abc{turn}gpj.exe", turn):
        with pytest.raises(InvalidInput) as refusal:
            clean_text(text, field=("nickname",), characters_max=64)
        assert refusal.value.rule == "no characters that turn the direction of text"


def test_texts_of_several_lines_may_have_tabs_and_line_feeds_only() -> None:
    assert clean_text("a\n\tb", field=("text",), characters_max=9, lines=True) == "a\n\tb"
    for text in ("a\r\nb", "a\x00", "a\x0b", "\x0c", "\ud800", "\x7f"):
        with pytest.raises(InvalidInput):
            clean_text(text, field=("text",), characters_max=9, lines=True)


def test_what_keyboards_and_phones_add_to_words_is_left_out() -> None:
    for text, kept in (
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("call \u2068+86 138\u2069, \u202d139\u202c\t!", "call +86 138, 139\t!"),
        ("\u202eab", "ab"),
    ):
        assert clean_words(text, field=("text",), characters_max=20) == kept
    for text in ("", "\u202a\u2069", "\r\n", "a\x00", "a\u2028\x0b", "a" * 21):
        with pytest.raises(InvalidInput):
            clean_words(text, field=("text",), characters_max=20)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "at least 1 characters"),
        ("👍" * 3, None),
        ("👍" * 4, "at most 3 characters"),
        ("e\u0301e\u0301", "at most 3 characters"),
    ],
)
def test_characters_are_code_points(text: str, rule: str | None) -> None:
    assert is_storable(text, characters_max=3) is (rule is None)
    if rule is None:
        assert clean_text(text, field=("a",), characters_min=1, characters_max=3) == text
        return
    with pytest.raises(InvalidInput) as refusal:
        clean_text(text, field=("a",), characters_min=1, characters_max=3)
    assert refusal.value.rule == rule


UNSEEN = {
    "a zero-width space": "\u200b",
    "a joiner": "\u200d",
    "a non-joiner": "\u200c",
    "a word joiner": "\u2060",
    "a mark of order": "\ufeff",
    "a mark of direction": "\u200e",
    "an override of direction": "\u202e",
    "a soft hyphen": "\u00ad",
    "a separator of lines": "\u2028",
    "a joiner of graphemes": "\u034f",
    "a selector of a variation": "\ufe0f",
    "a selector of an ideograph": "\U000e0100",
    "a filler of Hangul": "\u3164",
    "an empty pattern of Braille": "\u2800",
    "a tag": "\U000e0041",
    "what may be ignored": "\u2065",
    "what may be ignored beyond the tags": "\U000e0fff",
}


@pytest.mark.parametrize("unseen", UNSEEN.values(), ids=UNSEEN.keys())
def test_what_names_one_thing_has_nothing_unseen(unseen: str) -> None:
    for text in (f"A-1{unseen}", f"{unseen}A-1", f"A-{unseen}1", f"单{unseen}号"):
        assert is_storable(text, characters_max=9)
        assert not is_identity(text, characters_max=9)
        with pytest.raises(InvalidInput) as refusal:
            clean_identity(text, field=("reference",), characters_max=9)
        assert refusal.value.field == ("reference",)
        assert without_unseen(text) in {"A-1", "单号"}


@pytest.mark.parametrize(
    "text", ["A-1", "till-3/20261122-0017", "订单 №1", "é", "e\u0301", "محمد", "🍵", "𠮷", "  "]
)
def test_what_names_one_thing_is_kept_exactly(text: str) -> None:
    assert is_identity(text, characters_max=20)
    assert without_unseen(text) == text
    if text.strip():
        assert clean_identity(text, field=("reference",), characters_max=20) == text


@pytest.mark.parametrize(("text", "fits"), [("", False), ("abc", True), ("abcd", False)])
def test_what_names_one_thing_has_its_length(text: str, fits: bool) -> None:
    assert is_identity(text, characters_max=3) is fits
    if not fits:
        with pytest.raises(InvalidInput):
            clean_identity(text, field=("reference",), characters_max=3)


@pytest.mark.parametrize("code", ["a", "TEA-01", "wechat_mini", "a.b:c", "0"])
def test_codes(code: str) -> None:
    assert clean_code(code, field=("code",), characters_max=16) == code


@pytest.mark.parametrize(
    "code", ["", "-a", "_a", "a b", "a\n", "茶", "a/b", "a" * 17, "a\x00", "ａ", "a\u200b"]
)
def test_what_is_no_code(code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_code(code, field=("code",), characters_max=16)
    assert refusal.value.field == ("code",)


NAMES = {
    "Chinese": "王小明",
    "a rare character with a selector": "葛\U000e0100城",
    "families, flags, shades": "👩‍👩‍👧‍👦🏳️‍🌈👩🏽‍🚀❤️‍🔥🇨🇳",
    "the flag of England": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a key": "1️⃣",
    "keys and signs": "#️⃣*️⃣0️⃣©️®️™️ℹ️‼️〰️㊗️",
    "a rainbow, a pirate, an eye": "🏳️‍🌈🏴‍☠️👁️‍🗨️",
    "couples with shades": "👩🏻‍❤️‍💋‍👨🏿🧑🏽‍🤝‍🧑🏻⛹🏽‍♂️🧑‍⚕️",
    "a picture as text": "❤︎",
    "the flags of Scotland and Texas": (
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
        "🏴\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f"
    ),
    "an emoji of tomorrow": "\U0001fadf",
    "an ideograph of tomorrow": "\U00031350",
    "Thai": "ทิพย์ ที่รัก น้ำผึ้ง",
    "Hindi": "लक्ष्मी कृष्णा बड़ूँ श्री",
    "Bengali with its joiner": "র\u200d\u09cdয",
    "Tamil": "ஸ்ரீ",
    "Myanmar": "ကြွှုံ့",
    "Tibetan": "བསྒྲུབས",
    "Khmer": "ស្រ្តី",
    "Arabic with its vowels": "مُحَمَّدٌ",
    "Hebrew with its points": "\u05e9\u05bc\u05c1\u05b8לום",
    "Vietnamese": "Nguyễn Thị Ngọc Diệu",
    "Vietnamese, decomposed": "Nguye\u0302\u0303n",
    "Korean": "김철수",
    "Japanese": "さくら パーティー",
    "Arabic": "محمد",
    "Persian with its non-joiner": "نمی\u200cخواهم",
    "a conjunct that is held apart": "क\u094d\u200dष",
    "Cyrillic": "Иван",
    "two alphabets in two words": "Иван Ivanov",
    "Greek beside Chinese": "Μαρία玛丽",
    "Latin beside Chinese": "小明ABC",
    "accents of their own": "e\u0301 Đặng Ölçü",
    "letters of mathematics": "𝕁𝕚𝕗𝕖𝕟",
    "nothing": "",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_name_is_kept_exactly(name: str) -> None:
    assert clean_name(name, field=("nickname",), characters_max=64) == name


UNSEEN = {
    "a zero-width space": "ad\u200bmin",
    "a joiner between letters": "ad\u200dmin",
    "a non-joiner between letters": "ad\u200cmin",
    "a joiner at the end": "👩\u200d",
    "a joiner at the beginning": "\u200d👩",
    "a word joiner": "ad\u2060min",
    "a byte order mark": "\ufeffadmin",
    "a soft hyphen": "ad\u00admin",
    "a grapheme joiner": "ad\u034fmin",
    "a selector after a letter": "a\ufe0fdmin",
    "another selector": "小\ufe00明",
    "a selector of ideographs after a letter": "a\U000e0100dmin",
    "a mark that hints at a direction": "admin\u200e",
    "a tag without a flag": "ad\U000e0041min",
    "tags far behind a flag": "🏴admin\U000e0061\U000e0062\U000e0063\U000e007f",
    "tags that do not end": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067",
    "tags that say much": "🏴" + "\U000e0061" * 20 + "\U000e007f",
    "two ends of tags": "🏴\U000e0067\U000e0062\U000e0065\U000e007f\U000e007f",
    "many selectors": "#" + "\ufe0f" * 4,
    "a selector after a digit": "1\ufe0f",
    "two selectors after a picture": "❤\ufe0f\ufe0f",
    "a selector after a word": "小明\ufe0f",
    "a joiner alone between words": "小 \u200d 明",
    "two joiners": "👩\u200d\u200d👩",
    "a joiner between a sign and a picture": "+\u200d👩",
    "a joiner after a flag": "🇨🇳\u200d小",
    "a private character": "小\ue000",
    "a private character of another plane": "小\U000f0000",
    "what is no character": "小\ufffe",
    "what is no character of another plane": "小\U0001ffff",
    "what is not assigned": "a\u0378b",
    "a Hangul filler": "小\u3164明",
}


@pytest.mark.parametrize("name", UNSEEN.values(), ids=UNSEEN.keys())
def test_a_name_with_something_unseen_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_name(name, field=("nickname",), characters_max=64)
    assert refusal.value.field == ("nickname",)
    assert refusal.value.rule == "no invisible characters"


PILED_UP = {
    "sixty accents": "a" + "\u0301" * 60,
    "four accents": "a\u0301\u0302\u0303\u0304",
    "six vowels": "က" + "\u102d" * 6,
    "Thai tones": "ก" + "\u0e48" * 4,
    "circles": "小" + "\u20dd" * 6,
}


@pytest.mark.parametrize("name", PILED_UP.values(), ids=PILED_UP.keys())
def test_a_name_with_a_pile_of_accents_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_name(name, field=("nickname",), characters_max=64)
    assert refusal.value.rule == "at most 3 accents on one letter"


LOOK_ALIKE = {
    "a Cyrillic letter in a Latin word": "p\u0430ypal",
    "a Greek capital": "\u0391lpha",
    "a Latin letter in a Cyrillic word": "Ивaн",
    "Greek in Cyrillic": "Иван\u03bf",
    "Cherokee and Latin": "\u13aapple",
    "under an accent": "\u0430\u0301dmin",
    "among wide letters": "\uff50\u0430ypal",
    "among letters of mathematics": "𝕡\u0430y",
    "in the second word": "the \u0430dmin",
}


@pytest.mark.parametrize("name", LOOK_ALIKE.values(), ids=LOOK_ALIKE.keys())
def test_a_name_that_can_pass_for_another_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_name(name, field=("nickname",), characters_max=64)
    assert refusal.value.rule == "no word of letters of several alphabets that look alike"


def test_a_name_keeps_the_rules_of_texts() -> None:
    for name, rule in (
        ("a\nb", "no control characters"),
        ("积" * 65, "at most 64 characters"),
        ("\u202egpj", "no characters that turn the direction of text"),
        (" \u3000", "more than blanks"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            clean_name(name, field=("nickname",), characters_max=64)
        assert refusal.value.rule == rule
