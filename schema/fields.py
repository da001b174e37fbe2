"""How the schema is declared: types, inputs, enums, fields and arguments.

    @object_type(policy=OWNER)
    class Points:
        \"\"\"The points of a member.\"\"\"

        available: PointsScalar
        \"\"\"What may be spent now.\"\"\"

        @computed(OWNER | staff(StaffRole.SUPPORT))
        async def debt(self, info: Info) -> PointsScalar:
            \"\"\"What later earnings pay off first.\"\"\"
            return await resolvers.ledger.debt(info.context, self.member_id)

Every field needs a policy: its own, or that of its type. Descriptions come from docstrings (see
`schema.descriptions`). A type may be read from any value that has the attributes: resolvers return
domain values, and only what a type adds is a method here. Mutations are in `schema.mutations`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, dataclass_transform, overload

import strawberry
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from resolvers.context import RequestContext
from schema.cost import COST, Cost
from schema.descriptions import attribute_descriptions, class_description, function_description
from schema.policies import POLICY, VERSIONED, Policy

Info: TypeAlias = strawberry.Info[RequestContext, None]

T = TypeVar("T")
PURE: Final = "pure"
"""The metadata of a field that `computed` declares."""

F = TypeVar("F", bound=Callable[..., Any])
EnumT = TypeVar("EnumT", bound=type[Enum])


@overload
def field(
    policy: Policy,
    *,
    resolver: Callable[..., Any],
    cost: Cost | None = None,
    versioned: bool = False,
    init: Literal[False] = False,
) -> Any: ...
@overload
def field(policy: Policy, *, cost: Cost | None = None, deprecated: str | None = None) -> Any: ...
@overload
def field(
    policy: Policy, *, default: Any, deprecated: str | None = None, cost: Cost | None = None
) -> Any: ...
@overload
def field(
    policy: Policy, *, default_factory: Callable[[], Any], cost: Cost | None = None
) -> Any: ...
def field(
    policy: Policy,
    *,
    resolver: Callable[..., Any] | None = None,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
    deprecated: str | None = None,
    cost: Cost | None = None,
    versioned: bool = False,
    init: bool = True,
) -> Any:
    """Declare an attribute that `policy` guards; with `resolver`, one that a function answers.

    `cost` says what it costs beside the object it gives (see `schema.cost`); `versioned` as for
    `computed`.
    """
    declared: StrawberryField = strawberry.field(
        default=default,
        default_factory=default_factory,
        deprecation_reason=deprecated,
        metadata={POLICY: policy, COST: cost, VERSIONED: versioned},
    )
    return declared if resolver is None else declared(resolver)


def computed(
    policy: Policy,
    *,
    name: str | None = None,
    deprecated: str | None = None,
    cost: Cost | None = None,
    versioned: bool = False,
) -> Callable[[F], F]:
    """Declare a method, of the value that the type is read from, as a field.

    A method that awaits nothing changes nothing either, and what it answers follows from the value
    and from `info.context`: it may be called earlier than its place in the answer, and twice.

    `versioned` promises for a method that reads something: what it answers changes only with an
    event in the member's or the programme's stream, or at a moment that `domain.revisions` knows.
    Answers that are made of nothing else get an ETag. A method that awaits nothing needs no such
    promise, and must not ask what time it is. `name` is for what Python has another use for.
    """

    def declare(resolver: F) -> F:
        declared = strawberry.field(
            resolver=resolver,
            name=name,
            deprecation_reason=deprecated,
            metadata={POLICY: policy, COST: cost, VERSIONED: versioned, PURE: True},
        )
        return cast("F", declared)

    return declare


def argument(description: str) -> Any:
    """Describe an argument: `first: Annotated[int, argument("How many.")] = 20`."""
    return strawberry.argument(description=description)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def object_type(
    *, policy: Policy | None = None, name: str | None = None
) -> Callable[[type[T]], type[T]]:
    """Declare an object type. `policy` guards the fields that do not say their own."""

    def declare(cls: type[T]) -> type[T]:
        made = strawberry.type(cls, name=name, description=class_description(cls))
        return _completed(made, policy)

    return declare


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def interface_type(
    *, policy: Policy | None = None, name: str | None = None
) -> Callable[[type[T]], type[T]]:
    """Declare an interface. `policy` guards the fields that do not say their own."""

    def declare(cls: type[T]) -> type[T]:
        made = strawberry.interface(cls, name=name, description=class_description(cls))
        return _completed(made, policy)

    return declare


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def input_type(*, one_of: bool = False, name: str | None = None) -> Callable[[type[T]], type[T]]:
    """Declare an input. Inputs need no policy: the field that takes them has one."""

    def declare(cls: type[T]) -> type[T]:
        made = strawberry.input(cls, name=name, one_of=one_of, description=class_description(cls))
        return _completed(made, None)

    return declare


def enum_type(
    cls: EnumT, *, name: str | None = None, descriptions: dict[str, str] | None = None
) -> EnumT:
    """Offer an enum of the domain as a GraphQL enum of its member names; returns the same class.

    The values are described by the literal after each member, or by `descriptions`.
    """
    strawberry.enum(cls, name=name, description=class_description(cls))
    written = {**attribute_descriptions(cls), **(descriptions or {})}
    for value in cls.__strawberry_definition__.values:  # type: ignore[attr-defined]  # set above
        value.description = written.get(value.name)
    return cls


def view(value: object) -> Any:
    """The domain value (or a list of them) for a field whose type reads it by its attributes."""
    return value


def _completed(cls: type[T], policy: Policy | None) -> type[T]:
    """Add what Strawberry does not take by itself: descriptions, and the type's policy.

    A field that the class does not declare anew keeps the description and the policy it has in the
    interface it comes from.
    """
    definition: StrawberryObjectDefinition = cls.__strawberry_definition__  # type: ignore[attr-defined]  # set by Strawberry
    own = {*inspect.get_annotations(cls), *cls.__dict__}
    written = attribute_descriptions(cls)
    for one in definition.fields:
        if one.python_name not in own:
            _inherit(one, cls)
            continue
        resolver = one.base_resolver
        one.description = written.get(one.python_name) or (
            function_description(resolver.wrapped_func) if resolver else None
        )
        if policy is not None and POLICY not in one.metadata:
            _guard(one, policy)
    return cls


def _inherit(inherited: StrawberryField, cls: type[Any]) -> None:
    """Strawberry makes an attribute's field anew in every class that inherits it."""
    for base in cls.__mro__[1:]:
        definition = base.__dict__.get("__strawberry_definition__")
        for one in definition.fields if definition else ():
            if one.python_name == inherited.python_name and one is not inherited:
                inherited.description = inherited.description or one.description
                if POLICY in one.metadata and POLICY not in inherited.metadata:
                    _guard(inherited, one.metadata[POLICY])


def _guard(declared: StrawberryField, policy: Policy) -> None:
    declared.metadata = MappingProxyType({**declared.metadata, POLICY: policy})
