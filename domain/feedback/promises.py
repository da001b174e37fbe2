"""What service promises: how soon it answers and puts things right, and what it pays if it is late.

Decided purely. A policy is a list of promises, each for the kinds, topics and levels that it names.
Of those that fit a ticket the most particular one holds: one that names the kind comes before one
that does not; of the same in that, one that names the topic; of the same in both, one that names
the level. So no two promises may name the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.errors import Flaws, InvalidInput
from domain.feedback.kinds import FeedbackKind
from domain.feedback.sla import MINUTES_MAX
from domain.texts import clean_code
from domain.tiers import ServiceLevel

PROMISES_MAX: Final = 200
POINTS_MAX: Final = 1_000_000
CODE_CHARACTERS_MAX: Final = 64

PRIORITY_MAX: Final = 4
PRIORITIES: Final[Mapping[FeedbackKind, int]] = {
    FeedbackKind.PRAISE: 1,
    FeedbackKind.SUGGESTION: 1,
    FeedbackKind.QUESTION: 2,
    FeedbackKind.COMPLAINT: 3,
    FeedbackKind.LOSS: 3,
}
"""Where a promise says no other one; 4 is the most urgent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What is promised to tickets of this kind, topic and level, None for any.

    Minutes are those that count by the calendar, None where nothing is promised. Points are paid
    once when the deadline is missed; `priority` is from 1 to 4, None for that of the kind.
    """

    kind: FeedbackKind | None = None
    topic: str | None = None
    level: str | None = None
    answer_minutes: int | None = None
    resolve_minutes: int | None = None
    answer_points: int = 0
    resolve_points: int = 0
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevels:
    """A policy. `version` counts those that were defined, 0 where nobody has defined any."""

    promises: Sequence[Promise] = ()
    version: int = 0


NOTHING: Final = Promise()
"""What is promised where no promise fits."""


def promise_for(
    promises: Sequence[Promise], *, kind: FeedbackKind, topic: str, level: str
) -> Promise:
    """The promise that holds for such a ticket of a member of the level."""
    fitting = [
        one
        for one in promises
        if one.kind in (None, kind) and one.topic in (None, topic) and one.level in (None, level)
    ]
    return max(fitting, key=_particular, default=NOTHING)


def priority_of(kind: FeedbackKind, service: ServiceLevel, *, promised: int | None = None) -> int:
    """How urgent a ticket is, 1 to 4: as `promised`, or by its kind, and by how the member stands.

    Members of the service level PRIORITY come one step before others, those of VIP first of all.
    """
    if service is ServiceLevel.VIP:
        return PRIORITY_MAX
    base = PRIORITIES[kind] if promised is None else promised
    return min(base + (service is ServiceLevel.PRIORITY), PRIORITY_MAX)


def service_levels_flaws(levels: ServiceLevels) -> Sequence[InvalidInput]:
    """Every rule that the policy breaks, at most one for each field."""
    return _flaws(levels).found


def check_service_levels(levels: ServiceLevels) -> None:
    """Refused with InvalidInput, which names the field and its rule, where one is broken."""
    _flaws(levels).refuse_first()


def levels_to_json(levels: ServiceLevels) -> list[dict[str, Any]]:
    """The promises as they are stored, in their order, without what they do not say."""
    return [_to_json(one) for one in levels.promises]


def levels_from_json(version: int, definition: Sequence[Mapping[str, Any]]) -> ServiceLevels:
    """The policy of a definition that `levels_to_json` made."""
    promises = tuple(_from_json(one) for one in definition)
    return ServiceLevels(promises=promises, version=version)


def _to_json(promise: Promise) -> dict[str, Any]:
    found = {name: getattr(promise, name) for name in Promise.__slots__}
    return {name: value for name, value in found.items() if value not in (None, 0)}


def _from_json(definition: Mapping[str, Any]) -> Promise:
    kind = definition.get("kind")
    named = {name: value for name, value in definition.items() if name != "kind"}
    return Promise(kind=None if kind is None else FeedbackKind(kind), **named)


def _particular(promise: Promise) -> tuple[bool, bool, bool]:
    return promise.kind is not None, promise.topic is not None, promise.level is not None


def _flaws(levels: ServiceLevels) -> Flaws:
    flaws = Flaws()
    if len(levels.promises) > PROMISES_MAX:
        rule = f"at most {PROMISES_MAX} promises"
        flaws.found.append(InvalidInput(field=("promises",), rule=rule))
        return flaws
    seen: set[tuple[object, ...]] = set()
    for number, promise in enumerate(levels.promises):
        place = ("promises", str(number))
        named = (promise.kind, promise.topic, promise.level)
        if named in seen:
            rule = "a kind, topic and level that no other promise is for"
            flaws.found.append(InvalidInput(field=place, rule=rule))
        seen.add(named)
        _look(promise, place, flaws=flaws)
    return flaws


def _look(promise: Promise, place: tuple[str, ...], *, flaws: Flaws) -> None:
    for name in ("topic", "level"):
        code = getattr(promise, name)
        if code is not None:
            with flaws.noted():
                clean_code(code, field=(*place, name), characters_max=CODE_CHARACTERS_MAX)
    for name in ("answer_minutes", "resolve_minutes"):
        with flaws.noted():
            _within(getattr(promise, name), (1, MINUTES_MAX), field=(*place, name))
    answer, resolve = promise.answer_minutes, promise.resolve_minutes
    if answer is not None and resolve is not None and resolve < answer:
        rule = "not before the answer: answer_minutes or more"
        with flaws.noted():
            raise InvalidInput(field=(*place, "resolve_minutes"), rule=rule)
    for name, minutes in (
        ("answer_points", "answer_minutes"),
        ("resolve_points", "resolve_minutes"),
    ):
        with flaws.noted():
            points = getattr(promise, name)
            _within(points, (0, POINTS_MAX), field=(*place, name))
            if points and getattr(promise, minutes) is None:
                raise InvalidInput(field=(*place, name), rule="0 where nothing is promised")
    with flaws.noted():
        _within(promise.priority, (1, PRIORITY_MAX), field=(*place, "priority"))


def _within(value: int | None, bounds: tuple[int, int], *, field: tuple[str, ...]) -> None:
    low, high = bounds
    if value is not None and not low <= value <= high:
        raise InvalidInput(field=field, rule=f"{low} to {high}")
