"""Cells of CSV files that a spreadsheet would take for formulas.

A spreadsheet computes a cell that begins with one of `= + - @`, in some countries with their wide
forms, or with a tab or a new line, whoever wrote it: a nickname can be a formula. Files that we
write have an apostrophe before such a cell, which makes it text; reading a file takes it off again,
so that what is read is what was meant.
"""

from __future__ import annotations

import re
from typing import Final

_COMPUTED: Final = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
_MARKED: Final = re.compile("'+[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
_NEGATIVE: Final = re.compile(r"-[0-9]+(\.[0-9]+)?")


def marked(text: str) -> str:
    """The text as it stands in a file that we write; one that has apostrophes gets another.

    A negative number is one in every spreadsheet, and stays.
    """
    return f"'{text}" if _COMPUTED.match(text) and not _NEGATIVE.fullmatch(text) else text


def unmarked(text: str) -> str:
    """The text that was meant by a cell."""
    return text[1:] if text[:1] == "'" and _MARKED.match(text) else text
