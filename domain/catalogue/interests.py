"""Interests that a member declares: themes of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import members
from domain.catalogue.products import CODE_LENGTH_MAX, Theme, missing_themes, themes_by_code
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
            code = missing[0][:CODE_LENGTH_MAX]
            raise InvalidInput(field=("themes",), rule=f"there is no theme {code!r}")
        return await members.replace_declared_interests(command.member_id, chosen, now=now)

    return await transaction(declare)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeInterest:
    """A theme that a member cares for; `weight` is 0..1, a declared theme has it all."""

    theme: Theme
    source: members.InterestSource
    weight: float


async def theme_interests(member_id: UUID) -> Sequence[ThemeInterest]:
    """The member's interests with their themes, declared ones first, then by weight."""
    found = await members.interests(member_id)
    known = await themes_by_code(interest.theme_code for interest in found)
    return [
        ThemeInterest(
            theme=known[interest.theme_code],
            source=interest.source,
            weight=interest.weight_permille / members.WEIGHT_PERMILLE_MAX,
        )
        for interest in found
        if interest.theme_code in known
    ]
