"""The programme and its earning rules as staff sets them up, and all settings as one file."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final

from domain.access import StaffRole
from domain.errors import InvalidInput
from domain.ledger import AfterDays, AfterMonths, EndOfYear, ExpiryPolicy, Never
from domain.program import Programme, zone_of
from domain.purchases import EarningRule as Rule
from resolvers import programme_settings as resolvers
from schema.connections import KeysetList
from schema.cost import STATEMENT_COST, Cost
from schema.fields import Info, computed, enum_type, field, input_type, object_type, view
from schema.level_definitions import DEFINES
from schema.mutations import Payload, mutation
from schema.policies import staff

SETS_UP: Final = staff(StaffRole.ADMIN)
"""Who sets the programme up."""

RULES: Final = KeysetList("earning-rules", (int,))
RULES_READ: Final = Cost(own=STATEMENT_COST, items=20)
THEMES_LIKELY: Final = 10
"""A rule may have more themes; so many are what it costs."""

EXPORTS: Final = Cost(own=100)
"""All settings are read and written down."""

IMPORTS: Final = Cost(own=200)
"""An import reads all settings twice and may write each of them."""

CHANGES_LIKELY: Final = 100
"""A first import changes more; so many are what it costs."""

WARNINGS_LIKELY: Final = 20
"""A large file may have more; so many are what it costs."""


class ExpiryKind(Enum):
    """How long points are good; `number` of an expiry is read accordingly."""

    AFTER_DAYS = "AFTER_DAYS"
    """Through so many days after that of the order."""
    AFTER_MONTHS = "AFTER_MONTHS"
    """Through the same day so many months later."""
    END_OF_YEAR = "END_OF_YEAR"
    """Through the end of the year of the order, and so many days of grace."""
    NEVER = "NEVER"
    """For ever."""


enum_type(ExpiryKind)


@object_type(policy=DEFINES)
class PointsExpiry:
    """How long points are good."""

    kind: ExpiryKind
    """How it is reckoned."""

    number: int | None
    """The days, months or days of grace; null for NEVER."""


@object_type(policy=DEFINES)
class ThemeRate:
    """What products of a theme earn."""

    theme: str
    """The code of the theme."""

    permille_per_yuan: int
    """Thousandths of a point for a yuan."""


@object_type(policy=DEFINES)
class EarningRule:
    """A version of an earning rule. Orders keep the one that they were recorded under."""

    code: str
    """Its code, for ever."""

    version: int
    """Its number, from 1; `publishEarningRule` names the newest."""

    permille_per_yuan: int
    """Thousandths of a point for a yuan, of products whose theme has no rate of its own."""

    matures_after_days: int
    """How many days after the order its points may be spent."""

    @computed(DEFINES, cost=Cost(items=THEMES_LIKELY))
    def themes(self) -> list[ThemeRate]:
        """The rates of themes, by code."""
        rates = sorted(_rule(self).themes.items())
        return [ThemeRate(theme=theme, permille_per_yuan=rate) for theme, rate in rates]

    @computed(DEFINES)
    def expiry(self) -> PointsExpiry:
        """How long its points are good."""
        return _expiry_of(_rule(self).expiry)


@object_type(policy=DEFINES)
class PublishedEarningRule:
    """A version of an earning rule, and when it was published."""

    rule: EarningRule
    """The version."""

    published_at: datetime
    """Since when it was the newest."""


@object_type(policy=DEFINES)
class ProgrammeSettings:
    """The programme as staff sets it up."""

    name_zh: str
    """What it is called in Chinese."""

    name_en: str
    """What it is called in English."""

    currency: str
    """The currency of prices and purchases, ISO 4217."""

    version: int
    """Grows with each change; `setProgramme` names it. 0 where nobody has set it up."""

    @computed(DEFINES)
    def time_zone(self) -> str:
        """The time zone whose midnights end days."""
        programme: Programme = view(self)
        return programme.zone.key


@input_type()
class SetProgrammeInput:
    """The programme, as it shall be from now on."""

    version: int
    """Where it stood when it was read, 0 where nobody has set it up."""

    name_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    name_en: str
    """What it is called in English, 1 to 100 characters."""

    time_zone: str
    """The time zone whose midnights end days, for example `Asia/Shanghai`."""

    currency: str
    """The currency, ISO 4217; for ever once a purchase was recorded."""


@input_type()
class PointsExpiryInput:
    """How long points are good."""

    kind: ExpiryKind
    """How it is reckoned."""

    number: int | None = None
    """The days, months or days of grace; left out for NEVER."""


@input_type()
class ThemeRateInput:
    """What products of a theme earn."""

    theme: str
    """The code of the theme."""

    permille_per_yuan: int
    """Thousandths of a point for a yuan, 0 to 1,000,000."""


@input_type()
class PublishEarningRuleInput:
    """The next version of an earning rule, which holds for orders recorded from now on."""

    code: str
    """Its code: `standard` is that of shops that name none."""

    version: int
    """The newest version when it was read, 0 for a new code."""

    permille_per_yuan: int
    """Thousandths of a point for a yuan, 0 to 1,000,000."""

    themes: list[ThemeRateInput] | None = None
    """The rates of themes that have one of their own."""

    matures_after_days: int | None = 0
    """How many days after the order its points may be spent, 0 to 3,650."""

    expiry: PointsExpiryInput
    """How long its points are good."""


@input_type()
class ImportProgrammeInput:
    """A file of settings, as `staff { programmeFile }` gives it."""

    yaml: str
    """The text of the file."""


@object_type(policy=SETS_UP)
class SetProgrammePayload(Payload):
    """What changing the programme led to."""

    programme: ProgrammeSettings | None = None
    """The programme as it is now; null when it was refused."""


@object_type(policy=DEFINES)
class PublishEarningRulePayload(Payload):
    """What publishing an earning rule led to."""

    rule: EarningRule | None = None
    """The newest version; null when it was refused."""


@object_type(policy=SETS_UP)
class SettingChange:
    """One setting that an import changed."""

    path: str
    """Which, with codes in brackets: `levels[gold].perks[cake].quota`."""

    before: str | None
    """What it was; null where it was not there."""

    after: str | None
    """What it is now; null where it is there no longer."""


@object_type(policy=SETS_UP)
class FileWarning:
    """What a programme's file says without the effect that it may be meant to have."""

    path: str
    """Where, for example `rewards[2].stock`."""

    line: int
    """The line, from 1."""

    text: str
    """What is so, in English."""


@object_type(policy=SETS_UP)
class ImportProgrammePayload(Payload):
    """What an import led to."""

    changes: list[SettingChange] = field(
        SETS_UP, default_factory=list, cost=Cost(items=CHANGES_LIKELY)
    )
    """What it changed; empty where nothing differed, and when it was refused."""

    warnings: list[FileWarning] = field(
        SETS_UP, default_factory=list, cost=Cost(items=WARNINGS_LIKELY)
    )
    """Stocks of rewards that exist, which stay as they are; rates of themes that no product has."""


@mutation(SETS_UP)
async def set_programme(info: Info, input: SetProgrammeInput) -> SetProgrammePayload:
    """Change the programme. What was reckoned by its midnights before stays as it is."""
    programme = Programme(
        name_zh=input.name_zh,
        name_en=input.name_en,
        zone=zone_of(input.time_zone),
        currency=input.currency,
        version=input.version,
    )
    made: ProgrammeSettings = view(await resolvers.set_programme(info.context, programme))
    return SetProgrammePayload(programme=made)


@mutation(DEFINES)
async def publish_earning_rule(
    info: Info, input: PublishEarningRuleInput
) -> PublishEarningRulePayload:
    """Publish an earning rule. What holds already stays at its version."""
    rates = input.themes or []
    themes = {one.theme: one.permille_per_yuan for one in rates}
    if len(themes) < len(rates):
        raise InvalidInput(field=("themes",), rule="each theme once")
    rule = Rule(
        code=input.code,
        version=input.version,
        permille_per_yuan=input.permille_per_yuan,
        themes=themes,
        matures_after_days=input.matures_after_days or 0,
        expiry=_expiry(input.expiry),
    )
    made: EarningRule = view(await resolvers.publish_earning_rule(info.context, rule))
    return PublishEarningRulePayload(rule=made)


@mutation(SETS_UP, cost=IMPORTS)
async def import_programme(info: Info, input: ImportProgrammeInput) -> ImportProgrammePayload:
    """Make the programme what a file says: all of it, or nothing."""
    found = await resolvers.import_programme(info.context, input.yaml)
    changes: list[SettingChange] = view(found.changes)
    warnings: list[FileWarning] = view(found.warnings)
    return ImportProgrammePayload(changes=changes, warnings=warnings)


def _expiry(given: PointsExpiryInput) -> ExpiryPolicy:
    """The policy. Refused: InvalidInput, where the number does not go with its kind."""
    match given.kind, given.number:
        case ExpiryKind.AFTER_DAYS, int(days):
            return AfterDays(days)
        case ExpiryKind.AFTER_MONTHS, int(months):
            return AfterMonths(months)
        case ExpiryKind.END_OF_YEAR, int(grace_days):
            return EndOfYear(grace_days)
        case ExpiryKind.NEVER, None:
            return Never()
    raise InvalidInput(field=("expiry", "number"), rule="a number, but none for NEVER")


def _expiry_of(policy: ExpiryPolicy) -> PointsExpiry:
    match policy:
        case AfterDays(days):
            return PointsExpiry(kind=ExpiryKind.AFTER_DAYS, number=days)
        case AfterMonths(months):
            return PointsExpiry(kind=ExpiryKind.AFTER_MONTHS, number=months)
        case EndOfYear(grace_days):
            return PointsExpiry(kind=ExpiryKind.END_OF_YEAR, number=grace_days)
        case Never():
            return PointsExpiry(kind=ExpiryKind.NEVER, number=None)


def _rule(value: EarningRule) -> Rule:
    rule: Rule = view(value)
    return rule
