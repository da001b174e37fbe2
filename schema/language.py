"""Choosing between the two texts that the programme keeps for what it says."""

from __future__ import annotations

from typing import Any

from schema.fields import Info


def spoken(value: Any, name: str, info: Info) -> str:
    """The text of the attribute `name`_zh or `name`_en of the value, in the request's language."""
    text: str = getattr(value, f"{name}_{info.context.language}")
    return text
