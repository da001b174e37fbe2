"""A schema whose resolvers fail in every way that there is, and worlds that make them.

A world is made from a seed: the same seed makes the same world, with coroutines and generators of
its own, so that two executions of a query meet the same values in the same places.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import strawberry
from graphql import GraphQLResolveInfo, Undefined
from strawberry.dataloader import DataLoader
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from schema.fields import computed
from tests.execution.leaves import Even, Kind, Mood, give_even


@dataclass
class World:
    """What one execution meets. `log` is what happened in it, in order."""

    seed: int
    faults: float
    log: list[object] = field(default_factory=list)
    coroutines: list[Coroutine[Any, Any, Any]] = field(default_factory=list)
    language: str = "zh"

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.loader: DataLoader[int, Any] = DataLoader(self._load)
        self.sources: list[Any] = [(Stored, Guarded, Slow)[number % 3]() for number in range(9)]
        for number, source in enumerate(self.sources):
            source.number = number
            for name, draw in VALUES.items():
                self._give(source, name, draw)

    def close(self) -> None:
        """Close what nobody awaited."""
        for one in self.coroutines:
            one.close()

    def pick(self) -> Any:
        """One of the sources."""
        return self.dice.choice(self.sources)

    def faulty(self, value: Any) -> Any:
        """The value, or something else in its place."""
        if self.dice.random() >= self.faults:
            return value
        kind = self.dice.randrange(13)
        if kind == 0:
            return None
        if kind == 1:
            return ValueError(f"a value that is an error {self.dice.randrange(9)}")
        if kind in {2, 3}:
            return self._later(value, fails=kind == 3)
        others: list[Any] = [
            Undefined, object(), {"a": 1}, "text", float("nan"), 2**40, True, 7, ("a", None)
        ]  # fmt: skip
        return others[kind - 4]

    def _give(self, source: Any, name: str, draw: Any) -> None:
        if self.dice.random() < self.faults / 4:
            return  # Reading it is an AttributeError.
        setattr(source, name, self.faulty(draw(self)))

    def _later(self, value: Any, *, fails: bool) -> Coroutine[Any, Any, Any]:
        turns = self.dice.randrange(3)

        async def later() -> Any:
            for _ in range(turns):
                await asyncio.sleep(0)
            if fails:
                message = f"failed after {turns} turns"
                raise LookupError(message)
            return value

        made = later()
        self.coroutines.append(made)
        return made

    async def _load(self, keys: list[int]) -> list[Any]:
        self.log.append(("loaded", sorted(keys)))
        await asyncio.sleep(0)
        return [
            KeyError(f"nothing under {key}") if key % 5 == 4 else self.sources[key % 9]
            for key in keys
        ]


class Stored:
    """A source with attributes."""

    number: int

    def __repr__(self) -> str:
        return f"<source {self.number}>"


class Guarded(Stored):
    """A source of which some attributes are read by a property, which may raise."""

    _title: Any = AttributeError("there is no title")

    @property
    def title(self) -> Any:
        if isinstance(self._title, AttributeError | ValueError):
            raise self._title
        return self._title

    @title.setter
    def title(self, value: Any) -> None:
        self._title = value


class Slow(Stored):
    """A source that has every attribute, in its own way."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def _several(draw: Any, world: World, *, most: int = 3) -> Any:
    made = [world.faulty(draw(world)) for _ in range(world.dice.randrange(most + 1))]
    shape = world.dice.random()
    if shape >= world.faults:
        return tuple(made) if shape > 0.8 else made
    kinds = [iter(made), (one for one in made), dict.fromkeys("ab", 1), _streamed(made), "abc"]
    return world.dice.choice(kinds)


async def _streamed(values: list[Any]) -> Any:
    for one in values:
        await asyncio.sleep(0)
        yield one


def _text(world: World) -> str:
    return world.dice.choice(["", "a", "积分", "long " * 5, Kind.BIG])


def _number(world: World) -> int:
    return world.dice.choice([0, 1, -7, 2**31 - 1, -(2**31)])


def _even(world: World) -> int:
    return world.dice.choice([0, 2, 40, 2**60])


def _pet(world: World) -> Any:
    sound = world.faulty(_text(world))
    told = world.faulty(None) if world.dice.random() < 0.5 else None
    if isinstance(told, tuple | dict | Coroutine):
        told = "Box"
    if world.dice.random() < 0.5:
        return Cat(sound=sound, told=told, lives=world.faulty(9))
    return Dog(sound=sound, told=told, owner=world.pick())


VALUES: dict[str, Any] = {
    "name": _text,
    "title": _text,
    "key": lambda world: world.dice.choice(["k", 5]),
    "count": _number,
    "sure_count": _number,
    "ratio": lambda world: world.dice.choice([0.5, 1e300, 3, None]),
    "flag": lambda world: world.dice.random() < 0.5,
    "mood": lambda world: world.dice.choice([*Mood]),
    "sure_mood": lambda world: world.dice.choice([*Mood]),
    "kind": lambda world: world.dice.choice([*Kind, "big"]),
    "at": lambda world: datetime(2026, 3, 1, world.dice.randrange(24), tzinfo=UTC),
    "even": _even,
    "sure_even": _even,
    "blob": lambda world: world.dice.choice([{"a": [1, None]}, [], 1, "x"]),
    "tags": lambda world: _several(_text, world),
    "maybe_tags": lambda world: _several(_text, world),
    "grid": lambda world: _several(lambda one: _several(_number, one), world),
    "evens": lambda world: _several(_even, world),
    "child": lambda world: world.pick(),
    "sure_child": lambda world: world.pick(),
    "children": lambda world: _several(World.pick, world),
    "sure_children": lambda world: _several(World.pick, world),
    "rows": lambda world: _several(lambda one: _several(World.pick, one), world),
    "pet": _pet,
    "pets": lambda world: _several(_pet, world),
    "either": lambda world: world.dice.choice([_pet(world), Box(text="box")]),
    "box": lambda world: Box(text=world.faulty("boxed")),
}


@strawberry.type
class Box:
    """An object of one leaf."""

    text: str


@strawberry.interface
class Pet:
    """Something that finds out its type in its own way."""

    sound: str | None
    told: strawberry.Private[Any] = None

    @classmethod
    def resolve_type(cls, value: Any, info: GraphQLResolveInfo[Any], _: Any) -> Any:
        told = value.told
        if isinstance(told, Exception):
            raise told
        return type(value).__name__ if told is None else told


@strawberry.type
class Cat(Pet):
    """A pet whose class is asked for."""

    lives: int

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def purr(self) -> str:
        return f"{self.sound}..."


@strawberry.type
class Dog(Pet):
    """A pet that says itself whether a value is one."""

    owner: Thing | None

    @classmethod
    def is_type_of(cls, value: Any, info: GraphQLResolveInfo[Any]) -> bool:
        if value.sound == "a":
            message = "cannot tell"
            raise RuntimeError(message)
        return bool(value.sound != "积分")


Either = Annotated[Cat | Box, strawberry.union("Either")]
Info = strawberry.Info[World, Any]


@strawberry.type
class Thing:
    """Everything at once."""

    name: str | None
    title: str
    key: strawberry.ID | None
    count: int | None
    sure_count: int
    ratio: float | None
    flag: bool
    mood: Mood | None
    sure_mood: Mood
    kind: Kind | None
    at: datetime | None
    even: Even | None
    sure_even: Even
    blob: JSON | None
    tags: list[str]
    maybe_tags: list[str | None] | None
    grid: list[list[int | None]] | None
    evens: list[Even | None] | None
    child: Thing | None
    sure_child: Thing
    children: list[Thing | None] | None
    sure_children: list[Thing]
    rows: list[list[Thing | None]] | None
    pet: Pet | None
    pets: list[Pet | None] | None
    either: Either | None
    box: Box | None

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def shout(self) -> str | None:
        return self.title.upper()

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def greeting(self, info: Info) -> str:
        named = self.name if isinstance(self.name, str) else type(self.name).__name__
        return f"{info.context.language} {named}"

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def place(self, info: Info) -> str | None:
        return "/".join(map(str, info.path.as_list())) if self.flag else info.field_name

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def again(self) -> Thing | None:
        return self if self.flag else None

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def repeated(self, times: int = 2, by: Mood = Mood.CALM) -> str | None:
        return self.title * times + by.name

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    async def later(self, turns: int | None = 1) -> Thing | None:
        for _ in range(min(turns or 0, 3)):
            await asyncio.sleep(0)
        return self.child

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    async def sure_later(self) -> Thing:
        await asyncio.sleep(0)
        return self.sure_child

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    async def later_children(self, first: int | None = None) -> list[Thing]:
        return list(self.sure_children)[:first]

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    async def loaded(self, info: Info, key: int = 3) -> Thing | None:
        loaded: Thing = await info.context.loader.load(key)
        return loaded

    @strawberry.field
    def renamed(self) -> str | None:
        self.name = "renamed"
        return "at once"

    @strawberry.field
    def noted(self, info: Info, text: str = "-") -> str | None:
        info.context.log.append(("noted", text))
        return text


@strawberry.type
class Query:
    """The root of what is read."""

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def version(self) -> str:
        return "1"

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    async def thing(self, info: Info, number: int = 0) -> Thing | None:
        found: Thing = info.context.sources[number % 9]
        return found

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    def sure_thing(self, info: Info) -> Thing:
        found: Thing = info.context.sources[0]
        return found

    @computed(None)  # type: ignore[arg-type]  # there are no policies here
    async def things(self, info: Info, first: int | None = 9) -> list[Thing | None] | None:
        found: list[Thing | None] = info.context.sources[:first]
        return found


@strawberry.type
class Mutation:
    """The root of what changes, one field after the other."""

    @strawberry.mutation
    async def change(self, info: Info, number: int = 0, turns: int = 1) -> Thing | None:
        for _ in range(turns % 3):
            await asyncio.sleep(0)
        info.context.log.append(("changed", number))
        found: Thing = info.context.sources[number % 9]
        return found

    @strawberry.mutation
    def change_at_once(self, info: Info, number: int = 0) -> Thing:
        info.context.log.append(("changed at once", number))
        found: Thing = info.context.sources[number % 9]
        return found


@cache
def wild_schema() -> strawberry.Schema:
    """The schema."""
    scalars: dict[object, Any] = {Even: strawberry.scalar(name="Even", serialize=give_even)}
    return strawberry.Schema(
        query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map=scalars), types=[Dog]
    )
