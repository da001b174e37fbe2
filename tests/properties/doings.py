"""Small numbers in, commands out: what the members of a town do in a step.

A step of a member is three small numbers, which the state of the model turns into commands: so any
numbers make a history, and smaller ones a simpler history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

from domain.ledger import NEVER, Command, Earn, Key, Redeem, Source
from domain.ledger.commands import (
    Adjust,
    Capture,
    GiveBack,
    Mature,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from tests.properties.model import MOST, WAITING
from tests.properties.town import DAY, HOUR, INSTANT, Town

Step: TypeAlias = tuple[int, int, int]
"""What is done, how many points, to which of several things."""
Doing: TypeAlias = Callable[[Town, UUID, int, int], list[Command]]

ALONE: Final = 9
"""One step of 32 is posted alone: of a single member not all lots are loaded."""
LOCAL_MIDNIGHT: Final = timedelta(hours=16)
_KEYS = count(1)


def batches_of(town: Town, steps: Sequence[Step | None]) -> list[list[Command]]:
    """What the members do in a round: a few alone, the others in one batch."""
    together: list[Command] = []
    batches = [together]
    for member, step in zip(town.members, steps, strict=True):
        if step is None:
            continue
        what, size, which = step
        commands = DOINGS[what](town, member, size, which) or earn(town, member, size, which)
        if which % 32 == ALONE:
            batches.insert(-1, commands)
        else:
            together += commands
    return batches


def new_key() -> Key:
    return Key(scope="histories", key=str(next(_KEYS)))


def _stored_entries(town: Town, member: UUID, *kinds: str) -> list[int]:
    """The numbers of those entries that stand in the database already."""
    journal = town.models[member].journal[: town.known[member]]
    return [n for n, line in enumerate(journal, 1) if line.kind in kinds or not kinds]


def points_of(size: int, *, enough: int) -> int:
    """Mostly what there is enough of; now and then all, one more, or what no amount may be."""
    odd = {
        91: 0,
        93: -1,
        95: MOST + 1,
        97: MOST,
        101: enough,
        103: enough,
        105: enough + 1,
        107: enough + size,
        109: 2_000,
    }
    return odd.get(size, size % enough + 1 if enough else size + 1)


def closing_of(which: int, now: datetime) -> datetime:
    """A moment at which a lot or a hold closes: soon, at a coming midnight, never."""
    midnight = (now + DAY - LOCAL_MIDNIGHT).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight += LOCAL_MIDNIGHT
    return (
        NEVER,
        midnight,
        midnight + DAY,
        now + HOUR,
        midnight + 5 * DAY,
        midnight + 40 * DAY,
        now + 20 * DAY,
        midnight + 365 * DAY,
    )[which % 8]


def source(kind: str, key: Key) -> Source:
    """Each has a reference of its own, as each comes from something else."""
    return Source(kind=kind, reference=f"r{key.key}")


def earn(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """At once; every fourth time backdated."""
    ago = (timedelta(0), timedelta(0), timedelta(0), 3 * DAY, 60 * DAY)[which // 8 % 5]
    return [_earning(town, member, size, since=town.now - ago, which=which)]


def earn_later(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """Pending at first; backdated ones may have matured, or expired, long ago."""
    waits = (HOUR, DAY, 7 * DAY, 45 * DAY)[which // 8 % 4]
    since = town.now - (timedelta(0), timedelta(0), 10 * DAY)[which // 32 % 3]
    command = _earning(town, member, size, since=since, which=which)
    return [replace(command, matures_at=since + waits)]


def _earning(town: Town, member: UUID, size: int, *, since: datetime, which: int) -> Earn:
    key = new_key()
    return Earn(
        member_id=member,
        points=points_of(size, enough=256),
        source=source("purchase", key),
        effective_at=since,
        expires_at=closing_of(which, since),
        key=key,
    )


def redeem(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    points = points_of(size, enough=town.models[member].balances[0])
    key = new_key()
    return [Redeem(member_id=member, points=points, source=source("reward", key), key=key)]


def set_aside(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    key = new_key()
    command = SetAside(
        member_id=member,
        hold_id=uuid5(member, key.key),
        owner="shop",
        points=points_of(size, enough=town.models[member].balances[0]),
        expires_at=closing_of(which, town.now),
        source=source("checkout", key),
        key=key,
    )
    return [command]


def _a_hold(town: Town, member: UUID, which: int) -> UUID | None:
    """An open one, mostly; a closed one or one that never was, now and then."""
    holds = list(town.models[member].holds)
    open_ones = [hold for hold in holds if town.models[member].holds[hold].state == "OPEN"]
    if which == 111:
        return UUID(int=which)
    several = holds if which % 8 == 5 else open_ones
    return several[which % len(several)] if several else None


def capture(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    hold = _a_hold(town, member, which)
    if hold is None:
        return set_aside(town, member, size, which)
    held = town.models[member].holds.get(hold)
    points = None if size % 4 == 0 else points_of(size, enough=held.points if held else 1)
    key = new_key()
    command = Capture(
        member_id=member, hold_id=hold, points=points, source=source("checkout", key), key=key
    )
    return [command]


def release(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    hold = _a_hold(town, member, which)
    if hold is None:
        return set_aside(town, member, size, which)
    key = new_key()
    return [Release(member_id=member, hold_id=hold, source=source("checkout", key), key=key)]


def _an_entry(town: Town, member: UUID, which: int, *kinds: str) -> int | None:
    """One of these kinds, mostly; any, or one that never was, now and then."""
    if which == 111:
        return 1_000_000
    entries = _stored_entries(town, member, *(() if which % 8 == 5 else kinds))
    return entries[which // 8 % len(entries)] if entries else None


def take_back(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """A part or the whole of what is left, for a cause that may have come before."""
    entry = _an_entry(town, member, which, "EARN")
    if entry is None:
        return []
    left = town.models[member].left_of(entry) if entry < 1_000_000 else 1
    points = points_of(size, enough=left)
    command = TakeBack(
        member_id=member,
        entry_seq=entry,
        points=left or 1 if size % 4 == 3 else points,
        source=Source(kind="refund", reference=f"cause {size % 5}"),
        key=new_key(),
    )
    return [command]


def give_back(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    entry = _an_entry(town, member, which, "REDEEM", "CAPTURE")
    if entry is None:
        return []
    left = town.models[member].left_of(entry) if entry < 1_000_000 else 1
    points = points_of(size, enough=left)
    command = GiveBack(
        member_id=member,
        entry_seq=entry,
        points=left or 1 if size % 4 == 3 else points,
        grace_until=town.now + (14 * DAY, HOUR, timedelta(0))[size % 3],
        source=Source(kind="refund", reference=f"cause {size % 5}"),
        key=new_key(),
    )
    return [command]


def transfer(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    to = town.members[which % len(town.members)]
    points = points_of(size, enough=town.models[member].balances[0])
    key = new_key()
    command = Transfer(
        member_id=member,
        to_member_id=to,
        points=points,
        source=source("transfer", key),
        key=key,
    )
    return [command]


def adjust(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    points = points_of(size, enough=town.models[member].balances[0])
    key = new_key()
    command = Adjust(
        member_id=member,
        points=-points if which % 2 else points,
        reason="a correction",
        source=source("adjustment", key),
        expires_at=closing_of(which // 2, town.now),
        key=key,
    )
    return [command]


def mature(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    entry = _an_entry(town, member, which, "EARN")
    waiting = [n for n in _stored_entries(town, member, "EARN") if _waits(town, member, n)]
    if which % 8 != 5:
        entry = waiting[which % len(waiting)] if waiting else None
    if entry is None:
        return earn_later(town, member, size, which)
    key = new_key()
    return [Mature(member_id=member, entry_seq=entry, source=source("delivery", key), key=key)]


def _waits(town: Town, member: UUID, entry: int) -> bool:
    found = town.models[member]
    return any(
        lot.entry == entry and (n, WAITING) in found.places for n, lot in enumerate(found.lots, 1)
    )


def again(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """What was answered is sent again, by its own member."""
    mine = [command for command, _ in town.answered.values() if command.member_id == member]
    return [mine[which % len(mine)]] if mine else []


def again_altered(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """Under a key that was used, another input: one field differs."""
    altered = again(town, member, size, which)
    if not altered:
        return []
    (command,) = altered
    names = [each.name for each in fields(command) if each.name not in ("key", "hold_id")]
    name = names[size % len(names)]
    altered_field: dict[str, Any] = {name: another(getattr(command, name), town)}
    return [replace(command, **altered_field)]


def another(value: object, town: Town) -> object:
    """A value of the same type that is not the same."""
    match value:
        case int():
            return value + 1
        case datetime():
            return value - INSTANT
        case Source():
            return replace(value, reference=f"not {value.reference}")
        case UUID():
            return next((member for member in town.members if member != value), UUID(int=0))
        case None:
            return None
        case _:
            return f"not {value}"


def refused_again(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """A refusal is not remembered: the same key may succeed later."""
    refused = town.refused[member]
    return [refused.pop(which % len(refused))] if refused else []


def twice(town: Town, member: UUID, size: int, which: int) -> list[Command]:
    """One key twice in one batch."""
    doing = (earn, redeem, set_aside, transfer)[which % 4]
    return doing(town, member, size, which // 4) * 2


DOINGS: Final[tuple[Doing, ...]] = (
    *(earn,) * 4,
    *(earn_later,) * 2,
    *(redeem,) * 3,
    *(set_aside,) * 3,
    *(capture,) * 3,
    *(release,) * 2,
    *(take_back,) * 3,
    *(give_back,) * 2,
    *(transfer,) * 2,
    *(adjust,) * 1,
    *(mature,) * 2,
    again,
    again_altered,
    refused_again,
    twice,
)
"""What a member may do, as often as it is likely."""
