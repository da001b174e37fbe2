"""What a document needs of its caller: the policies of the fields that each operation selects.

Found once per document, whatever the variables: a field under `@include(if: false)` counts. An
operation needs what it selects and what the fragments it reaches select. Where a field is asked of
an interface, the policies of all types that may stand behind it count. A field that carries no
policy admits nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from domain.access import Caller
from schema.faults import CodedError, FaultCode
from schema.policies import NOBODY, POLICY, VERSIONED, Policy


@dataclass(frozen=True, slots=True)
class Requirement:
    """A policy that an operation needs, with the first field that needs it."""

    policy: Policy
    coordinate: str
    node: FieldNode

    def check(self, caller: Caller | None) -> None:
        """Raise CodedError unless the caller is admitted."""
        if self.policy.admits(caller):
            return
        code = FaultCode.UNAUTHENTICATED if caller is None else FaultCode.FORBIDDEN
        raise CodedError(code, f"{self.coordinate} needs {self.policy}.", nodes=[self.node])


@dataclass(frozen=True, slots=True)
class DocumentNeeds:
    """Requirements by operation name (None: the anonymous one), and where the schema is asked.

    `versioned` names the queries whose answer changes only with what `domain.revisions` knows,
    `about_schema` those that ask nothing of the programme.
    """

    requirements: dict[str | None, tuple[Requirement, ...]]
    introspections: tuple[FieldNode, ...]
    versioned: frozenset[str | None] = frozenset()
    about_schema: frozenset[str | None] = frozenset()


@dataclass(slots=True)
class _Selected:
    """What one operation or fragment selects by itself."""

    requirements: list[Requirement] = field(default_factory=list)
    spreads: list[str] = field(default_factory=list)
    is_versioned: bool = True
    is_about_schema: bool = True


class _Collector(Visitor):
    """Collects what one definition selects."""

    def __init__(self, schema: GraphQLSchema, type_info: TypeInfo) -> None:
        super().__init__()
        self.schema = schema
        self.type_info = type_info
        self.selected = _Selected()
        self.introspections: list[FieldNode] = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Note the policies of the field. Introspection has none: it is open or closed."""
        name, parent = node.name.value, self.type_info.get_parent_type()
        if name in {"__schema", "__type"}:
            self.introspections.append(node)
            self.selected.is_versioned = False
        if parent is None or parent.name.startswith("__") or name.startswith("__"):
            return
        self.selected.is_about_schema = False
        for policy in _policies(self.schema, parent, name):
            requirement = Requirement(policy, f"{parent.name}.{name}", node)
            self.selected.requirements.append(requirement)
        if not all(is_versioned(one) for one in _declared(self.schema, parent, name)):
            self.selected.is_versioned = False

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        """Note the fragment."""
        self.selected.spreads.append(node.name.value)


def document_needs(schema: GraphQLSchema, document: DocumentNode) -> DocumentNeeds:
    """What the operations of a valid document need."""
    operations: dict[str | None, _Selected] = {}
    fragments: dict[str, _Selected] = {}
    introspections: list[FieldNode] = []
    for definition in document.definitions:
        type_info = TypeInfo(schema)
        collector = _Collector(schema, type_info)
        visit(definition, TypeInfoVisitor(type_info, collector))
        introspections += collector.introspections
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = collector.selected
        elif isinstance(definition, OperationDefinitionNode):
            name = definition.name.value if definition.name else None
            operations[name] = collector.selected
            if definition.operation is not OperationType.QUERY:
                collector.selected.is_versioned = False
    reached = {name: list(_reached(one, fragments)) for name, one in operations.items()}
    return DocumentNeeds(
        requirements={
            name: _first_of_each_policy(
                requirement for selected in parts for requirement in selected.requirements
            )
            for name, parts in reached.items()
        },
        introspections=tuple(introspections),
        versioned=frozenset(
            name for name, parts in reached.items() if all(one.is_versioned for one in parts)
        ),
        about_schema=frozenset(
            name for name, parts in reached.items() if all(one.is_about_schema for one in parts)
        ),
    )


def field_policy(declared: GraphQLField) -> Policy | None:
    """The policy that the field was declared with."""
    definition = declared.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    policy: Policy | None = getattr(definition, "metadata", {}).get(POLICY)
    return policy


def is_versioned(declared: GraphQLField) -> bool:
    """Whether what the field answers changes only with what `domain.revisions` knows.

    An attribute, or a method that awaits nothing, is made of its parent and of the language alone.
    Whatever reads anything must have been declared so.
    """
    definition = declared.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryField):
        return False
    resolver = definition.base_resolver
    return resolver is None or not resolver.is_async or definition.metadata.get(VERSIONED) is True


def _policies(schema: GraphQLSchema, parent: GraphQLNamedType, name: str) -> Iterator[Policy]:
    for declared in _declared(schema, parent, name):
        policy = field_policy(declared)
        yield NOBODY if policy is None else policy


def _declared(schema: GraphQLSchema, parent: GraphQLNamedType, name: str) -> Iterator[GraphQLField]:
    """The field, and where an interface has it, that of every type that may stand behind it."""
    owners: list[GraphQLNamedType] = [parent]
    if isinstance(parent, GraphQLInterfaceType):
        owners += schema.get_possible_types(parent)
    for owner in owners:
        assert isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
        yield owner.fields[name]


def _reached(selected: _Selected, fragments: dict[str, _Selected]) -> Iterator[_Selected]:
    """The selection and all fragments it reaches, each once."""
    pending, seen = [selected], set[str]()
    while pending:
        current = pending.pop()
        yield current
        for name in current.spreads:
            if name not in seen:
                seen.add(name)
                pending.append(fragments[name])


def _first_of_each_policy(requirements: Iterator[Requirement]) -> tuple[Requirement, ...]:
    first: dict[Policy, Requirement] = {}
    for requirement in requirements:
        if not requirement.policy.is_public:
            first.setdefault(requirement.policy, requirement)
    return tuple(first.values())
