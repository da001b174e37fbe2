"""Interests that a member declares: themes of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import members
from domain.catalogue.products import missing_themes
from domain.errors import InvalidInput
from domain.storage import transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareInterests:
    """The member cares for exactly these themes; no theme withdraws what was declared."""

    member_id: UUID
    themes: Sequence[str]


async def declare_interests(
    command: DeclareInterests, *, now: datetime
) -> Sequence[members.Interest]:
    """Replace what the member declared; what was inferred is left alone. Returns all interests.

    Refused with InvalidInput (field `themes`), nothing changed, where a code names no theme or
    there are more than 100; with MemberNotFound where there is no such member.
    """
    chosen = list(dict.fromkeys(command.themes))
    if len(chosen) > members.THEMES_MAX:
        raise InvalidInput(field=("themes",), rule=f"at most {members.THEMES_MAX} themes")

    async def declare() -> Sequence[members.Interest]:
        missing = await missing_themes(chosen)
        if missing:
            raise InvalidInput(field=("themes",), rule=f"there is no theme {missing[0]!r}")
        return await members.replace_declared_interests(command.member_id, chosen, now=now)

    return await transaction(declare)
