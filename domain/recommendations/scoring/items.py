"""The products that a model is of, numbered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Products in the order of their codes; `numbers` has the place of each, from 0.

    `themes` has the theme of each place, None without one.
    """

    codes: Sequence[str]
    themes: Sequence[str | None]
    numbers: Mapping[str, int]

    @classmethod
    def of(cls, themes: Mapping[str, str | None]) -> Self:
        """The products that are the keys, each with its theme."""
        codes = sorted(themes)
        return cls(
            codes=codes,
            themes=[themes[code] for code in codes],
            numbers={code: number for number, code in enumerate(codes)},
        )
