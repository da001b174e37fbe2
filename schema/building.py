"""Puts a schema together: Strawberry's, with our scalars, documents, access and errors.

`schema.root.build_schema` calls `make_schema` with the root types; the gateway gives the limits,
and the SDL is the same without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from functools import cached_property, partial
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    Undefined,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import ExecutionContext
from strawberry.types.base import StrawberryObjectDefinition

import schema.definition_errors
import schema.game_errors
import schema.reward_errors  # noqa: F401 - whoever imports them has declared them
from schema.charging import ChargingExtension
from schema.documents import DocumentExtension, DocumentLimits, Documents, PreparedDocument
from schema.errors import user_error_types
from schema.events import FollowingSchema
from schema.node import Node, node_source
from schema.presenting import present_errors
from schema.scalars import SCALARS


class JifenSchema(FollowingSchema):
    """A schema whose errors are coded and masked, and whose nodes may be domain values."""

    def __init__(
        self,
        *,
        query: type,
        mutation: type | None,
        subscription: type | None,
        types: Iterable[type],
        limits: DocumentLimits,
    ) -> None:
        super().__init__(
            query=query,
            mutation=mutation,
            subscription=subscription,
            types=types,
            config=StrawberryConfig(scalar_map=SCALARS),
        )
        self._prepare_within(limits)
        self.node_names: dict[type, str] = {}
        for graphql_type in self._schema.type_map.values():
            if isinstance(graphql_type, GraphQLObjectType):
                self._admit_domain_values(graphql_type)
            _forget_null_defaults(graphql_type)

    def within(self, limits: DocumentLimits) -> JifenSchema:
        """The same types, which nothing changes any more, with documents of their own."""
        own = copy(self)
        own._prepare_within(limits)
        return own

    def _prepare_within(self, limits: DocumentLimits) -> None:
        self.documents = Documents(limits=limits)
        self.extensions = (partial(DocumentExtension, self.documents),)

    @cached_property
    def sdl(self) -> str:
        """The schema in SDL, as it is served and kept."""
        return self.as_str() + "\n"

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        """The hooks of one operation. Those that charge for it must wait: they are not `sync`."""
        if sync:
            return super().get_extensions(sync)
        return [ChargingExtension(self.documents), *super().get_extensions(sync)[1:]]

    def prepare(self, query: str) -> PreparedDocument:
        """What is known about the document before it runs. Raises InvalidDocument."""
        return self.documents.prepare(self._schema, query)

    def pin(self, query: str) -> None:
        """Prepare the document for good. Raises InvalidDocument."""
        self.documents.pin(self._schema, query)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Replace the errors of a result, in place, by what the client may see.

        Strawberry hands over every result's own list here, whatever the transport.
        """
        context = execution_context.context if execution_context else None
        errors_max = self.documents.limits.errors_max
        errors[:] = present_errors(errors, context=context, errors_max=errors_max)

    def _admit_domain_values(self, graphql_type: GraphQLObjectType) -> None:
        """Let a node type be read from any value with its attributes.

        Strawberry gives a type with interfaces an `is_type_of` that admits only its own class. A
        type whose one interface is Node does without it: `Node.resolve_type` tells the types apart.
        """
        definition = graphql_type.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if not isinstance(definition, StrawberryObjectDefinition):
            return
        source = node_source(definition.origin)
        if source is None or [one.origin for one in definition.interfaces] != [Node]:
            return
        graphql_type.is_type_of = None
        if source.reads is not None:
            self.node_names[source.reads] = graphql_type.name


def _forget_null_defaults(graphql_type: GraphQLNamedType) -> None:
    """Leave `= null` out of the SDL: what is left out arrives as Python's own default all the same.

    Strawberry states a default of None, although the specification tells `null` from nothing.
    """
    taken: list[GraphQLArgument | GraphQLInputField] = []
    if isinstance(graphql_type, GraphQLObjectType | GraphQLInterfaceType):
        taken += [one for field in graphql_type.fields.values() for one in field.args.values()]
    elif isinstance(graphql_type, GraphQLInputObjectType):
        taken += graphql_type.fields.values()
    for one in taken:
        if one.default_value is None:
            one.default_value = Undefined


def make_schema(
    *,
    query: type[Any],
    mutation: type[Any] | None = None,
    subscription: type[Any] | None = None,
    types: Iterable[type[Any]] = (),
    limits: DocumentLimits | None = None,
) -> JifenSchema:
    """The schema of these roots. `types` are those that no field mentions, like some node types."""
    return JifenSchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=[*types, *user_error_types()],
        limits=limits or DocumentLimits(),
    )
