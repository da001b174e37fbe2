"""One query for each rule of execution, with what it meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import Undefined, parse

from tests.execution.comparing import Stock, Told, executed, told
from tests.execution.leaves import Mood
from tests.execution.wild import Box, Cat, Dog, Guarded, Slow, Stored, World, wild_schema

Changes = Mapping[str, Any]
"""Attributes of the first source; a function is called for a value of its own each time."""


@dataclass(frozen=True, slots=True)
class Case:
    """A query of what `thing` gives, and what is special about it. `others` are later sources."""

    query: str
    has: Changes = field(default_factory=dict)
    variables: tuple[Mapping[str, Any], ...] = ({},)
    others: Mapping[int, Changes] = field(default_factory=dict)
    kind: type[Stored] = Stored
    without: str | None = None


def world_of(case: Case) -> World:
    """The world of the case: no value of it is wrong but those that the case names."""
    world = World(7, 0.0)
    world.sources = [Stored() for _ in range(9)] if case.kind is Stored else [
        case.kind(), *(Stored() for _ in range(8))
    ]  # fmt: skip
    for number, source in enumerate(world.sources):
        _settle(source, number, world)
    for number, changes in {0: case.has, **case.others}.items():
        for name, value in changes.items():
            setattr(world.sources[number], name, value(world) if callable(value) else value)
    if case.without:
        delattr(world.sources[0], case.without)
    return world


async def answers(case: Case, by: type[Any]) -> list[Told]:
    """What an executor tells of the case, three times with each set of variables."""
    document = parse(case.query)
    made = []
    for variables in case.variables * 3:
        world = world_of(case)
        result = await executed(wild_schema(), document, by=by, variables=variables, context=world)
        made.append(told(result, world.log))
        world.close()
    return made


async def differing(by: type[Any]) -> list[str]:
    """The cases of which the executor tells something else than graphql-core alone."""
    return [
        name
        for name, case in CASES.items()
        if await answers(case, by) != await answers(case, Stock)
    ]


def _settle(source: Stored, number: int, world: World) -> None:
    source.number = number
    plain: dict[str, Any] = {
        "name": f"name {number}", "title": f"title {number}", "key": f"key {number}",
        "count": number, "sure_count": number, "ratio": 0.5, "flag": number % 2 == 0,
        "mood": Mood.CALM, "sure_mood": Mood.SAD, "kind": None, "at": None, "even": 2,
        "sure_even": 4, "blob": {"a": 1}, "tags": ["a", "b"], "maybe_tags": ["a", None],
        "grid": [[1, 2], []], "evens": [2, None], "child": world.sources[(number + 1) % 9],
        "sure_child": world.sources[(number + 2) % 9], "children": [None],
        "sure_children": [], "rows": None, "pet": None, "pets": [], "either": None,
        "box": Box(text="box"),
    }  # fmt: skip
    for name, value in plain.items():
        setattr(source, name, value)
    if number < 4:
        source.children = [world.sources[number + 4], None, world.sources[number + 5]]  # type: ignore[attr-defined]  # as all
        source.sure_children = [world.sources[number + 5]]  # type: ignore[attr-defined]  # as all


def _later(value: Any, *, fails: bool = False) -> Any:
    return lambda world: world._later(value, fails=fails)


def _streamed(*values: Any) -> Any:
    async def stream() -> Any:
        for one in values:
            yield one

    return lambda _: stream()


def thing(selection: str, **how: Any) -> Case:
    """A case about what is asked of the first source."""
    return Case(f"{{ thing {{ {selection} }} }}", **how)


def _cat(told: Any) -> Cat:
    return Cat(sound="x", lives=1, told=told)


def _with_text(error: Any) -> Any:
    error.text = "not the value"
    return error


FAILURE = ValueError("this is the value")
YES_AND_NO = ({"yes": True}, {"yes": False})

CASES: dict[str, Case] = {
    "fields stand in the order of the query": thing("title name count title key"),
    "aliases name the keys": thing("b: name a: name name: title"),
    "fields of one key are merged": thing("child { name } title child { title name }"),
    "merged through fragments": Case(
        "{ thing { child { name } ...F child { ...G } } } fragment F on Thing { child { title } }"
        " fragment G on Thing { key title }"
    ),
    "a fragment is spread once": Case(
        "{ thing { ...F name ...F } } fragment F on Thing { title name }"
    ),
    "fragments without a type": thing("... { name } ... @include(if: true) { title }"),
    "skipped and included": thing(
        "name @skip(if: true) title @include(if: false) key @skip(if: false) @include(if: true)"
    ),
    "what is collected hangs on a variable": Case(
        "query($yes: Boolean!) {"
        " thing { name @include(if: $yes) child { title @skip(if: $yes) } } }",
        variables=YES_AND_NO,
    ),
    "a fragment under a variable": Case(
        "query($yes: Boolean = true) { thing { key ...F @include(if: $yes) title } }"
        " fragment F on Thing { name child { count } }",
        variables=({}, {"yes": False}, {"yes": True}, {"yes": None}),
    ),
    "a root field under a variable": Case(
        "query($yes: Boolean!) {"
        " version thing @include(if: $yes) { name } other: thing { title } }",
        variables=YES_AND_NO,
    ),
    "the name of the type alone": Case("{ __typename thing { __typename child { __typename } } }"),
    "the name of the type between others": thing("name __typename t: __typename later { name }"),
    "introspection beside others": Case(
        '{ __schema { queryType { name } } __type(name: "Box") { name fields { name } } version }'
    ),
    "arguments by default": thing("repeated a: repeated(times: 1) b: repeated(by: CROSS)"),
    "arguments by variables": Case(
        "query($n: Int = 1, $m: Mood) { thing { repeated(times: $n) x: repeated(by: $m)"
        " later(turns: $n) { name } } }",
        variables=({"n": 2, "m": "SAD"}, {"m": "CROSS"}, {"n": None}),
    ),
    "pure fields beside those that wait": thing(
        "title later { name } name sureLater { title child { key } } key", has={"key": 5}
    ),
    "what waits inside of lists": thing("children { name later { title } count } tags"),
    "everything at once": thing(
        "name title key count sureCount ratio flag mood sureMood kind at even sureEven blob tags"
        " maybeTags grid evens child { name } children { name child { key } } sureChildren { name }"
        " box { text } shout greeting again { title }"
    ),
    "null where it may be": thing(
        "name count mood child { name } children { name } even",
        has=dict.fromkeys(("name", "count", "mood", "child", "children", "even")),
    ),
    "null where it may not be": thing("name title key", has={"title": None}),
    "null in a non-null enum": thing("name child { sureMood }", others={1: {"sure_mood": None}}),
    "null goes up to where it may be": thing(
        "name child { sureChild { sureChild { title } } } key", others={5: {"title": None}}
    ),
    "null goes up to the root": Case("{ sureThing { title } version }", has={"title": None}),
    "null in a list of what is not null": thing("name tags maybeTags", has={"tags": ["a", None]}),
    "null in an object of a list": thing(
        "children { title } sureChildren { title }", others={4: {"title": None}, 5: {"title": None}}
    ),
    "undefined is null": thing("name title", has={"name": Undefined}),
    "undefined where null may not be": thing("name title", has={"title": Undefined}),
    "undefined in a list": thing("maybeTags tags", has={"maybe_tags": [Undefined, "a"]}),
    "leaves are coerced": thing(
        "name key count ratio flag tags",
        has={"name": 5, "key": 7, "count": True, "ratio": 3, "flag": 1, "tags": [True, 2, 0.5]},
    ),
    "whole numbers have 32 bits": thing("count sureCount", has={"count": 2**31}),
    "the least whole number": thing("count sureCount", has={"count": -(2**31), "sure_count": -1}),
    "numbers that are none": thing("ratio count", has={"ratio": float("nan"), "count": 0.5}),
    "texts that are none": thing("name title", has={"name": lambda _: object()}),
    "scalars of ours": thing("even sureEven evens", has={"even": 2**60, "evens": (4, 6, None)}),
    "a scalar that makes nothing": thing("even sureEven", has={"even": 3, "sure_even": 5}),
    "a scalar that raises": thing("even evens", has={"even": "x", "evens": [2, "x", 4]}),
    "enums by member and by value": thing("mood sureMood", has={"mood": "cross", "sure_mood": 3}),
    "no member of the enum": thing("mood kind", has={"mood": "happy", "kind": 5}),
    "members that are texts": thing("kind name", has={"kind": "big", "name": Mood.CALM}),
    "an error as a leaf": thing("name title key", has={"name": FAILURE, "key": FAILURE}),
    "an error as a leaf that is not null": thing("name title", has={"title": FAILURE}),
    "an error as an object": thing("name child { name }", has={"child": FAILURE}),
    "an error with the attributes of an object": thing(
        "box { text } name", has={"box": lambda _: _with_text(RuntimeError("an error"))}
    ),
    "an error as a list, and in one": thing(
        "maybeTags children { name }", has={"maybe_tags": FAILURE, "children": [FAILURE, None]}
    ),
    "to be awaited as a leaf": thing("name title", has={"name": _later("late")}),
    "to be awaited as JSON": thing("blob name", has={"blob": _later({"a": 1})}),
    "to be awaited as an object": thing(
        "box { text } child { name }", has={"box": _later(Box(text="late")), "child": _later(None)}
    ),
    "to be awaited as a list, and in one": thing(
        "tags maybeTags", has={"tags": _later(["late"]), "maybe_tags": lambda w: [_later("x")(w)]}
    ),
    "to be awaited and fails": thing(
        "name title key later { name }", has={"name": _later("", fails=True)}
    ),
    "null because of what was awaited": thing("name title key", has={"title": _later(None)}),
    "a tuple": thing("tags children { name }", has={"tags": ("b", "a"), "children": (None, None)}),
    "a generator": thing("tags name", has={"tags": lambda _: (one for one in "ab")}),
    "a generator that fails": thing("tags name", has={"tags": lambda _: (1 // n for n in (1, 0))}),
    "a stream": thing("tags name", has={"tags": _streamed("a", "b")}),
    "a mapping is no list": thing("tags name", has={"tags": {"a": 1}}),
    "a text is no list": thing("maybeTags name", has={"maybe_tags": "ab"}),
    "lists of lists": thing(
        "grid rows { name }", has={"grid": [[1, None], [2**40, 3]], "rows": [[None], [], None]}
    ),
    "an attribute that is not there": thing("name title", without="title"),
    "a property that raises": thing("name title key", has={"title": FAILURE}, kind=Guarded),
    "a class that makes attributes up": thing("name title again { key }", kind=Slow),
    "a method that raises": thing("name shout key", has={"title": 5}),
    "a method that is told the request": thing("greeting child { greeting }"),
    "a method that asks where it is": thing("place a: place child { place }"),
    "what a resolver changes is read after it": thing("name renamed other: name later { name }"),
    "resolvers at once, in order": thing(
        'a: noted(text: "a") name b: noted(text: "b") later { key }'
    ),
    "two failures in one object": thing(
        "a: name title b: name", has={"title": None, "name": FAILURE}
    ),
    "failures beside what waits": thing(
        "later { title } count child { title } laterChildren { title }",
        has={"count": 2**40}, others={1: {"title": None}, 5: {"title": FAILURE}},
    ),
    "a loader loads at once": Case(
        "{ a: thing { loaded { name } } b: thing { title loaded(key: 4) { name } }"
        " c: thing { loaded(key: 2) { name loaded(key: 1) { key } } } }"
    ),
    "an interface": thing(
        "pet { __typename sound ...on Cat { lives purr } } name",
        has={"pet": Cat(sound="a", lives=9)},
    ),
    "interfaces in a list": thing(
        "pets { sound ...on Dog { owner { name later { key } } } __typename }",
        has={"pets": lambda w: [Cat(sound="x", lives=1), Dog(sound="y", owner=w.sources[1]), None]},
    ),
    "no such type": thing("pet { sound } name", has={"pet": _cat("Thing")}),
    "a type that is told wrongly": thing("pet { sound }", has={"pet": _cat(5)}),
    "whose type cannot be told": thing("pet { sound }", has={"pet": _cat(FAILURE)}),
    "is not of its type": thing(
        "pet { sound }", has={"pet": lambda w: Dog(sound="积分", owner=w.sources[1])}
    ),
    "a union": thing("either { __typename ...on Box { text } ...on Cat { sound } }",
                     has={"either": Box(text="b")}),
    "a union of something else": thing("either { __typename }", has={"either": FAILURE}),
    "mutations one after the other": Case(
        "mutation { a: change(number: 1, turns: 2) { name } b: changeAtOnce(number: 2) { title }"
        " c: change(number: 3) { child { name } } }"
    ),
    "a mutation whose answer is null": Case(
        "mutation { a: change(number: 1) { title } b: change(number: 2) { name } }",
        others={1: {"title": None}},
    ),
    "a mutation that ends all": Case(
        "mutation { a: change(number: 1) { name } b: changeAtOnce(number: 2) { title }"
        " c: change { key } }",
        others={2: {"title": FAILURE}},
    ),
    "errors that go no further": Case(
        "query @experimental_disableErrorPropagation { thing { title child { title } } }",
        has={"title": None}, others={1: {"title": FAILURE}},
    ),
}  # fmt: skip
