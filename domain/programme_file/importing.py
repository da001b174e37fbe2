"""A programme's file taken in: whole or not at all, and nothing at all where nothing differs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from domain import audit, catalogue, feedback, notifications, program, purchases, rewards, tiers
from domain.audit import Actor, Target
from domain.errors import (
    FileProblem,
    InvalidInput,
    LevelsOutOfOrder,
    ProgrammeFileInvalid,
    TopicUnknown,
)
from domain.feedback import ServiceCalendar, ServiceLevels
from domain.program import Programme
from domain.programme_file.contents import Contents, FiledLevel, FiledPerk, FileWarning
from domain.programme_file.differing import Change, differences
from domain.programme_file.exporting import read_programme
from domain.programme_file.fields import FILED, line_of
from domain.programme_file.reading import read_contents
from domain.programme_file.service import calendar_document, levels_document, promise_place
from domain.programme_file.setting import check_currency
from domain.programme_file.writing import document_of
from domain.rewards import CHANGEABLE, ChangeReward, Reward, RewardDefinition
from domain.storage import transaction
from domain.tiers import (
    CHANGEABLE_OF_PERKS,
    ChangePerk,
    DefinedPerk,
    LevelRules,
    RetirePerk,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import changed, and what of its file has no effect, in the order of the file."""

    changes: Sequence[Change]
    warnings: Sequence[FileWarning]


@dataclass
class _OnlyLooked(Exception):
    """Raised inside a transaction that is to change nothing, with what it would have changed."""

    imported: Imported


async def import_programme(
    source: bytes, *, by: Actor, now: datetime, check_only: bool = False
) -> Imported:
    """Make the programme what the file says; returns what that changed, or would change.

    One transaction: all of it or nothing. What the file does not name stays as it is, and so does
    the stock of rewards that exist, with a warning where the file says another one. A second time
    the same file changes nothing. Every change is in the audit log as one by hand is, and the file
    once. `check_only` tries all of it, keeps nothing.
    Refused: ProgrammeFileInvalid with path and line; DefinitionChanged, where staff changes the
    same at this moment.
    """
    # A large file takes a while, in which others are served.
    contents = await asyncio.to_thread(read_contents, source)
    digest = sha256(source).hexdigest()

    async def work() -> Imported:
        before = document_of(await read_programme())
        warnings = await _Taking(contents, by=by, now=now).all()
        changes = differences(before, document_of(await read_programme()))
        imported = Imported(changes=changes, warnings=warnings)
        if check_only:
            raise _OnlyLooked(imported)
        audit.record(
            by,
            "programme.import",
            target=Target(kind="programme", id="1"),
            after={"sha256": digest, "changes": len(changes)},
            now=now,
        )
        return imported

    try:
        return await transaction(work)
    except _OnlyLooked as looked:
        return looked.imported


class _Taking:
    """One file on its way in."""

    def __init__(self, contents: Contents, *, by: Actor, now: datetime) -> None:
        self._contents = contents
        self._by = by
        self._now = now
        self._warnings: list[FileWarning] = []

    async def all(self) -> Sequence[FileWarning]:
        """Take in all that the file names, what others refer to first."""
        contents = self._contents
        if contents.programme is not None:
            await self._programme(contents.programme)
        if contents.level_rules is not None:
            await self._level_rules(contents.level_rules)
        if contents.levels:
            await self._levels(contents.levels)
        await self._earning_rules()
        await self._rewards()
        await self._feedback_topics()
        await self._feedback_causes()
        if contents.service_calendar is not None:
            await self._service_calendar(contents.service_calendar)
        if contents.service_levels is not None:
            await self._service_levels(contents.service_levels)
        await self._notification_texts()
        await self._themes()
        return sorted(self._warnings, key=lambda one: one.line)

    async def _programme(self, wanted: Programme) -> None:
        known = await program.program()
        if known != wanted:
            with self._at("programme"):
                await check_currency(known, wanted)
                one = replace(wanted, version=known.version)
                await program.change_programme(one, by=self._by, now=self._now)

    async def _level_rules(self, wanted: LevelRules) -> None:
        known = await tiers.level_rules()
        one = replace(wanted, version=known.version)
        if known != one:
            with self._at("level_rules"):
                await tiers.change_level_rules(one, by=self._by, now=self._now)

    async def _levels(self, levels: Sequence[FiledLevel]) -> None:
        definitions = [one.definition for one in levels]
        numbers = {one.code: number for number, one in enumerate(definitions)}
        try:
            with self._at("levels"):
                await tiers.set_levels(definitions, by=self._by, now=self._now)
        except LevelsOutOfOrder as wrong:
            rule = f"more than {wrong.below}, a level below it, asks for"
            raise self._invalid(f"levels[{numbers[wrong.level]}]", wrong.field, rule=rule) from None
        known = {
            (one.definition.level_code, one.definition.code): one
            for one in await tiers.defined_perks()
        }
        for number, level in enumerate(levels):
            # Those that go make room for those that come.
            for place, perk in sorted(
                enumerate(level.perks), key=lambda one: not one[1].is_retired
            ):
                with self._at(f"levels[{number}].perks[{place}]"):
                    await self._perk(perk, known.get((level.definition.code, perk.definition.code)))

    async def _perk(self, wanted: FiledPerk, known: DefinedPerk | None) -> None:
        definition = wanted.definition
        if known is not None:
            if known.definition.kind != definition.kind:
                raise InvalidInput(field=("kind",), rule=f"{known.definition.kind}, for ever")
            definition = replace(definition, id=known.definition.id)
            if known == replace(known, definition=definition) and wanted.is_retired == (
                known.retired_at is not None
            ):
                return
        if known is None or known.retired_at is not None:
            known = await tiers.define_perk(definition, by=self._by, now=self._now)
        changes = {
            name: getattr(definition, name)
            for name in CHANGEABLE_OF_PERKS
            if getattr(definition, name) != getattr(known.definition, name)
        }
        perk_id = known.definition.id
        if changes:
            change = ChangePerk(perk_id=perk_id, version=known.version, changes=changes)
            known = await tiers.change_perk(change, by=self._by, now=self._now)
        if wanted.is_retired:
            retire = RetirePerk(perk_id=perk_id, version=known.version)
            await tiers.retire_perk(retire, by=self._by, now=self._now)

    async def _earning_rules(self) -> None:
        known = {one.code: one for one in await purchases.newest_rules()}
        for number, wanted in enumerate(self._contents.earning_rules):
            before = known.get(wanted.code)
            rule = replace(wanted, version=0 if before is None else before.version)
            if rule != before:
                with self._at(f"earning_rules[{number}]"):
                    await purchases.publish_earning_rule(rule, by=self._by, now=self._now)

    async def _feedback_topics(self) -> None:
        known = {one.code: one for one in await feedback.topics(all_of_them=True)}
        for number, wanted in enumerate(self._contents.feedback_topics):
            before = known.get(wanted.code)
            one = replace(wanted, version=0 if before is None else before.version)
            if one != before:
                with self._at(f"feedback_topics[{number}]"):
                    await feedback.define_topic(one, by=self._by, now=self._now)

    async def _feedback_causes(self) -> None:
        known = {one.code: one for one in await feedback.causes(all_of_them=True)}
        for number, wanted in enumerate(self._contents.feedback_causes):
            before = known.get(wanted.code)
            one = replace(wanted, version=0 if before is None else before.version)
            if one != before:
                with self._at(f"feedback_causes[{number}]"):
                    await feedback.define_cause(one, by=self._by, now=self._now)

    async def _service_calendar(self, wanted: ServiceCalendar) -> None:
        known = await feedback.service_calendar()
        one = replace(wanted, version=known.version)
        if known.version and calendar_document(one) == calendar_document(known):
            return
        with self._at("service_calendar"):
            await feedback.define_service_calendar(one, by=self._by, now=self._now)

    async def _service_levels(self, wanted: ServiceLevels) -> None:
        known = await feedback.service_levels_in_force()
        one = replace(wanted, version=known.version)
        if levels_document(one) == levels_document(known):
            return
        try:
            await feedback.define_service_levels(one, by=self._by, now=self._now)
        except InvalidInput as wrong:
            raise self._invalid(promise_place(wrong), None, rule=wrong.rule) from None

    async def _themes(self) -> None:
        """Warn of rates that nothing earns: no product has their theme."""
        rules = self._contents.earning_rules
        named = {theme for rule in rules for theme in rule.themes}
        missing = named - await catalogue.themes_with_products(named)
        for number, rule in enumerate(rules):
            for theme in rule.themes:
                if theme in missing:
                    path = f"earning_rules[{number}].themes.{theme}"
                    self._warn(path, "no product has this theme")

    async def _notification_texts(self) -> None:
        known = {one.kind: one.text for one in await notifications.defined_texts()}
        for number, wanted in enumerate(self._contents.notification_texts):
            before = known[wanted.kind]
            text = replace(wanted.text, version=before.version)
            if text != before:
                with self._at(f"notification_texts[{number}]"):
                    await notifications.define_notification_text(
                        wanted.kind, text, by=self._by, now=self._now
                    )

    async def _rewards(self) -> None:
        known = {one.code: one for one in await rewards.all_rewards()}
        for number, wanted in enumerate(self._contents.rewards):
            before = known.get(wanted.code)
            with self._at(f"rewards[{number}]"):
                await self._reward(wanted, before)
            if before is not None and before.stock != wanted.stock:
                left, said = map(_stock, (before.stock, wanted.stock))
                rule = f"stock of {wanted.code} stays {left}; the file says {said}"
                self._warn(f"rewards[{number}].stock", rule)

    async def _reward(self, wanted: RewardDefinition, known: Reward | None) -> None:
        if known is None:
            await rewards.define_reward(wanted, by=self._by, now=self._now)
            return
        if known.kind != wanted.kind:
            raise InvalidInput(field=("kind",), rule=f"{known.kind}, for ever")
        changes = {
            name: getattr(wanted, name)
            for name in CHANGEABLE - {"stock"}
            if getattr(wanted, name) != getattr(known, name)
        }
        if changes:
            command = ChangeReward(reward_id=known.id, version=known.version, changes=changes)
            await rewards.change_reward(command, by=self._by, now=self._now)

    def _warn(self, path: str, text: str) -> None:
        line = line_of(path, self._contents.places)
        self._warnings.append(FileWarning(path=path, line=line, text=text))

    @contextmanager
    def _at(self, path: str) -> Iterator[None]:
        """Tell what the domain refuses inside by its place in the file."""
        try:
            yield
        except InvalidInput as wrong:
            raise self._invalid(path, wrong.field, rule=wrong.rule) from None
        except TopicUnknown as unknown:
            rule = "the code of a topic that there is"
            raise self._invalid(path, unknown.field, rule=rule) from None

    def _invalid(
        self, path: str, field: tuple[str, ...] | None, *, rule: str
    ) -> ProgrammeFileInvalid:
        """The refusal of a field of what stands at the path, with the line nearest to it."""
        path = ".".join([path, *(FILED.get(name, name) for name in field or () if name != path)])
        line = line_of(path, self._contents.places)
        return ProgrammeFileInvalid(problems=(FileProblem(path=path, line=line, rule=rule),))


def _stock(stock: int | None) -> str:
    return "unlimited" if stock is None else str(stock)
