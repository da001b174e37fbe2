"""All that is wrong with one thing, for who tells it at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from domain.errors.refusal import InvalidInput


@dataclass(slots=True)
class Flaws:
    """The rules that one thing breaks, in the order in which they are looked at.

    flaws = Flaws()
    with flaws.noted():
        clean_text(title, field=("title",), characters_max=100)
    flaws.refuse_first()
    """

    found: list[InvalidInput] = field(default_factory=list)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what the block refuses, and go on."""
        try:
            yield
        except InvalidInput as flaw:
            self.found.append(flaw)

    def refuse_first(self) -> None:
        """Refuse InvalidInput where there is any."""
        if self.found:
            raise self.found[0]
