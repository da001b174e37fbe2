"""The mutations by which staff defines and changes levels, perks and the rules of levels."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import strawberry
from uuid_utils.compat import uuid7

from domain import tiers
from domain.errors import InvalidInput
from domain.tiers import CalendarYear, Match, Period, PerkKind, Rolling
from resolvers import level_definitions as resolvers
from schema.fields import Info, input_type, object_type, view
from schema.level_definitions import (
    DEFINES,
    LevelDefinition,
    LevelRules,
    LevelWindow,
    PerkDefinition,
)
from schema.mutations import Payload, mutation
from schema.node import decode_uuid
from schema.scalars import Fen, Points
from schema.tiers import CriteriaMatch


@input_type()
class DefineLevelInput:
    """A new level. It asks for points, for an amount, for purchases: one of them at least."""

    code: str
    """The merchant's own code, for ever."""

    rank: int
    """Where it stands, 0 for the base; those from there on move up."""

    name_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    name_en: str
    """What it is called in English, 1 to 100 characters."""

    threshold: Points | None = None
    """The qualifying points that it asks."""

    amount: Fen | None = None
    """What must have been paid, net of refunds."""

    purchases: int | None = None
    """How many purchases it asks."""

    match: CriteriaMatch | None = None
    """Whether all that it asks must be there (as where this is left out), or one of it."""


@input_type()
class ChangeLevelInput:
    """What to change of a level: what is left out stays, null no longer asks for it."""

    code: str
    """Which level."""

    version: int
    """Where it stood when it was read: whoever is second is refused."""

    name_zh: str | None = strawberry.UNSET
    """What it is called in Chinese."""

    name_en: str | None = strawberry.UNSET
    """What it is called in English."""

    threshold: Points | None = strawberry.UNSET
    """The qualifying points that it asks from now on."""

    amount: Fen | None = strawberry.UNSET
    """What must have been paid from now on."""

    purchases: int | None = strawberry.UNSET
    """How many purchases it asks from now on."""

    match: CriteriaMatch | None = strawberry.UNSET
    """Whether all that it asks must be there."""


@input_type()
class DefinePerkInput:
    """A perk that a level is given."""

    level: str
    """The code of the level."""

    code: str
    """The merchant's own code, for ever: the same at all levels that give the same."""

    kind: PerkKind
    """What it gives, for ever."""

    value: str | None = None
    """How much or what, to be read by `kind`."""

    title_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    title_en: str
    """What it is called in English, 1 to 100 characters."""

    description_zh: str | None = None
    """What it means for the member, in Chinese."""

    description_en: str | None = None
    """What it means for the member, in English."""

    quota: int | None = None
    """How often it may be used per `period`; left out for no limit."""

    period: Period | None = None
    """After what the quota is full again."""

    position: int | None = 0
    """Where it stands among the perks of its level, the least first."""


@input_type()
class ChangePerkInput:
    """What to change of a perk: what is left out stays, null takes a quota away."""

    perk_id: strawberry.ID
    """Which perk."""

    version: int
    """Where it stood when it was read: whoever is second is refused."""

    value: str | None = strawberry.UNSET
    """How much or what."""

    title_zh: str | None = strawberry.UNSET
    """What it is called in Chinese."""

    title_en: str | None = strawberry.UNSET
    """What it is called in English."""

    description_zh: str | None = strawberry.UNSET
    """What it means for the member, in Chinese."""

    description_en: str | None = strawberry.UNSET
    """What it means for the member, in English."""

    quota: int | None = strawberry.UNSET
    """How often it may be used per `period`; what was used in it already counts."""

    period: Period | None = strawberry.UNSET
    """After what the quota is full again."""

    position: int | None = strawberry.UNSET
    """Where it stands among the perks of its level."""


@input_type()
class RetirePerkInput:
    """Which perk a level gives no longer."""

    perk_id: strawberry.ID
    """Which perk."""

    version: int
    """Where it stood when it was read."""


@input_type()
class SetLevelRulesInput:
    """The rules of levels, as they shall be from now on."""

    version: int
    """Where they stood when they were read, 0 where nobody has set them."""

    window: LevelWindow
    """Which days count."""

    months: int | None = None
    """How many months, of a rolling window: 1 to 60; left out for 12."""

    grace_days: int
    """For how many days a level goes on when its review was not passed."""

    notice_days: int
    """How many days before its review a member whose level would fall is told; 0 for never."""


@object_type(policy=DEFINES)
class DefineLevelPayload(Payload):
    """What defining a level led to."""

    level: LevelDefinition | None = None
    """The level; null when it was refused."""


@object_type(policy=DEFINES)
class ChangeLevelPayload(Payload):
    """What changing a level led to."""

    level: LevelDefinition | None = None
    """The level as it is now; null when it was refused."""


@object_type(policy=DEFINES)
class DefinePerkPayload(Payload):
    """What defining a perk led to."""

    perk: PerkDefinition | None = None
    """The perk; null when it was refused."""


@object_type(policy=DEFINES)
class ChangePerkPayload(Payload):
    """What changing a perk led to."""

    perk: PerkDefinition | None = None
    """The perk as it is now; null when it was refused."""


@object_type(policy=DEFINES)
class RetirePerkPayload(Payload):
    """What retiring a perk led to."""

    perk: PerkDefinition | None = None
    """The perk as it was; null when it was refused."""


@object_type(policy=DEFINES)
class SetLevelRulesPayload(Payload):
    """What changing the rules of levels led to."""

    level_rules: LevelRules | None = None
    """The rules as they are now; null when it was refused."""


@mutation(DEFINES)
async def define_level(info: Info, input: DefineLevelInput) -> DefineLevelPayload:
    """Add a level, at the top or between others. The same definition again changes nothing."""
    level = tiers.LevelDefinition(
        code=input.code,
        rank=input.rank,
        name_zh=input.name_zh,
        name_en=input.name_en,
        threshold=input.threshold or 0,
        amount_fen=input.amount,
        purchases=input.purchases,
        match=Match(input.match.value) if input.match else Match.ALL,
    )
    return DefineLevelPayload(level=view(await resolvers.define_level(info.context, level)))


@mutation(DEFINES)
async def change_level(info: Info, input: ChangeLevelInput) -> ChangeLevelPayload:
    """Change a level. Whoever holds it keeps it as long as they were promised."""
    changes = _said(input, needed={"name_zh", "name_en", "match"})
    if "amount" in changes:
        changes["amount_fen"] = changes.pop("amount")
    if "threshold" in changes:
        changes["threshold"] = changes["threshold"] or 0
    if "match" in changes:
        changes["match"] = Match(changes["match"].value)
    del changes["code"]
    command = tiers.ChangeLevel(code=input.code, version=input.version, changes=changes)
    return ChangeLevelPayload(level=view(await resolvers.change_level(info.context, command)))


@mutation(DEFINES)
async def define_perk(info: Info, input: DefinePerkInput) -> DefinePerkPayload:
    """Give a level a perk. The same definition again changes nothing; one retired comes back."""
    perk = tiers.PerkDefinition(
        id=uuid7(),
        level_code=input.level,
        code=input.code,
        position=input.position or 0,
        kind=input.kind.value,
        value=input.value or "",
        title_zh=input.title_zh,
        title_en=input.title_en,
        description_zh=input.description_zh or "",
        description_en=input.description_en or "",
        quota=input.quota,
        period=input.period.value if input.period else None,
    )
    return DefinePerkPayload(perk=view(await resolvers.define_perk(info.context, perk)))


@mutation(DEFINES)
async def change_perk(info: Info, input: ChangePerkInput) -> ChangePerkPayload:
    """Change a perk, for all members of its level from now on."""
    changes = _said(input, needed={"title_zh", "title_en", "position"})
    del changes["perk_id"]
    for name in {"value", "description_zh", "description_en"} & changes.keys():
        changes[name] = changes[name] or ""
    if changes.get("period"):
        changes["period"] = changes["period"].value
    command = tiers.ChangePerk(
        perk_id=decode_uuid(input.perk_id, "Perk"), version=input.version, changes=changes
    )
    return ChangePerkPayload(perk=view(await resolvers.change_perk(info.context, command)))


@mutation(DEFINES)
async def retire_perk(info: Info, input: RetirePerkInput) -> RetirePerkPayload:
    """Take a perk from its level. What was used of it stays on record."""
    perk_id = decode_uuid(input.perk_id, "Perk")
    command = tiers.RetirePerk(perk_id=perk_id, version=input.version)
    return RetirePerkPayload(perk=view(await resolvers.retire_perk(info.context, command)))


@mutation(DEFINES)
async def set_level_rules(info: Info, input: SetLevelRulesInput) -> SetLevelRulesPayload:
    """Change what counts for levels and for how long they hold; what was promised stays."""
    rolling = input.window is LevelWindow.ROLLING
    if input.months is not None and not rolling:
        raise InvalidInput(field=("months",), rule="of a rolling window alone")
    months = Rolling().months if input.months is None else input.months
    rules = tiers.LevelRules(
        window=Rolling(months) if rolling else CalendarYear(),
        grace_days=input.grace_days,
        notice_days=input.notice_days,
        version=input.version,
    )
    made: LevelRules = view(await resolvers.set_level_rules(info.context, rules))
    return SetLevelRulesPayload(level_rules=made)


_NAMES_IT: Final = frozenset({"version"})


def _said(input: Any, *, needed: set[str]) -> dict[str, Any]:
    """What an input says, by name, but for its version. Refused: InvalidInput."""
    named = {one.name: getattr(input, one.name) for one in fields(input)}
    said = {
        name: value
        for name, value in named.items()
        if name not in _NAMES_IT and value is not strawberry.UNSET
    }
    for name in sorted(needed & said.keys()):
        if said[name] is None:
            raise InvalidInput(field=(name,), rule="not null")
    return said
