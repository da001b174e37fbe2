"""Secrets of WeChat, in types whose text never shows them.

A secret reaches logs through `repr` far more often than on purpose: a traceback with locals, a
dataclass inside an event, an f-string in a hurry. These types print as `SessionKey(***)`; the one
way to the value is `reveal()`, which is easy to search for.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Concealed:
    """A text that does not show itself. Equal when both the texts and the types are."""

    _text: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self._text:
            raise ValueError(f"{type(self).__name__} is empty")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    def reveal(self) -> str:
        """The secret itself: for the wire and for cryptography only."""
        return self._text


@dataclass(frozen=True, slots=True, repr=False)
class AppSecret(_Concealed):
    """The secret of one mini-program, as the WeChat console shows it once."""


@dataclass(frozen=True, slots=True, repr=False)
class SessionKey(_Concealed):
    """The key WeChat shares for one login, base64 of 16 bytes. Never leaves the server."""


@dataclass(frozen=True, slots=True, repr=False)
class AccessToken(_Concealed):
    """The credential of server-side calls of one app, 512 characters or more, 2 hours at most."""
