"""Global ids and `Query.node`.

A global id is base64url of `Type:key`, opaque to clients. `node(id)` answers null for an object
that does not exist and for one that is not the caller's, and the top-level error BAD_ID for a text
that is no id of this server's. Where an id of one type is needed, `decode_global_id` refuses
another type's with the same code.

    @node_type(policy=PUBLIC, key="reward_id", load=resolvers.rewards.reward, reads=RewardOffer)
    class Reward(Node):
        \"\"\"What points can buy.\"\"\"
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, dataclass_transform
from uuid import UUID

import strawberry
from graphql import GraphQLResolveInfo
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition

from resolvers.context import RequestContext
from schema.faults import CodedError, FaultCode
from schema.fields import Info, argument, computed, field, interface_type, object_type
from schema.policies import PUBLIC, Policy

T = TypeVar("T", bound="Node")

ID_LENGTH_MAX: Final = 300

Loader = Callable[[RequestContext, Any], Awaitable[object | None]]


def parse_uuid(text: str) -> UUID:
    """The UUID that the text spells as this server does. ValueError for any other spelling."""
    parsed = UUID(text)
    if str(parsed) != text:
        raise ValueError(text)
    return parsed


@dataclass(frozen=True, slots=True)
class NodeSource:
    """How the objects of a node type are found by key, and as which class they come."""

    load: Loader
    parse: Callable[[str], Any]
    reads: type | None


@interface_type(policy=PUBLIC)
class Node:
    """An object with an id of its own."""

    @computed(PUBLIC)
    def id(self) -> strawberry.ID:
        """The id, opaque; valid for `node` and wherever an id of this type is needed."""
        raise NotImplementedError

    @classmethod
    def resolve_type(cls, value: object, info: GraphQLResolveInfo[Any], _: object) -> str | None:
        """The type of a value: that of its schema class, or the one that reads its class."""
        definition = get_object_definition(value)
        if definition is not None:
            return definition.name
        schema = info.schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        name: str | None = schema.node_names.get(type(value))
        return name


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def node_type(
    *,
    policy: Policy | None = None,
    key: str,
    load: Loader,
    parse: Callable[[str], Any] = parse_uuid,
    reads: type | None = None,
) -> Callable[[type[T]], type[T]]:
    """Declare an object type with a global id.

    The value's attribute `key` holds its key. `load(context, key)` answers the object, or None when
    it does not exist or is not the caller's. `parse` makes the key from the id's text and raises
    ValueError for a text that cannot be one. `reads` is the domain class that resolvers return for
    this type, when they do not return the schema class itself.
    """

    def declare(cls: type[T]) -> type[T]:
        type_name = cls.__name__

        def resolve_id(self: Any) -> strawberry.ID:
            return encode_global_id(type_name, getattr(self, key))

        resolve_id.__doc__ = f"The global id of this {type_name}."
        cls.id = computed(PUBLIC)(resolve_id)  # type: ignore[method-assign]  # made per type
        made = object_type(policy=policy)(cls)
        made.__node__ = NodeSource(load=load, parse=parse, reads=reads)  # type: ignore[attr-defined]  # read below
        return made

    return declare


def encode_global_id(type_name: str, key: object) -> strawberry.ID:
    """The global id of the object of this type with this key."""
    plain = f"{type_name}:{key}".encode()
    return strawberry.ID(base64.urlsafe_b64encode(plain).rstrip(b"=").decode())


def decode_global_id(global_id: str, expected_type: str) -> str:
    """The key in an id of `expected_type`. Raises CodedError for garbage and other types' ids."""
    type_name, key = _split(global_id)
    if type_name != expected_type:
        message = f"This is not an id of {expected_type}."
        raise CodedError(FaultCode.BAD_ID, message, expected=expected_type)
    return key


def decode_uuid(global_id: str, expected_type: str) -> UUID:
    """As `decode_global_id`, for types whose key is a UUID."""
    key = decode_global_id(global_id, expected_type)
    try:
        return parse_uuid(key)
    except ValueError:
        raise _no_id() from None


def decode_own_uuid(global_id: str, expected_type: str) -> tuple[UUID, UUID]:
    """As `decode_uuid`, for types whose key is a member's UUID and one within that member."""
    member_id, _, own_id = decode_global_id(global_id, expected_type).partition(":")
    try:
        return parse_uuid(member_id), parse_uuid(own_id)
    except ValueError:
        raise _no_id() from None


async def resolve_node(
    info: Info, id: Annotated[strawberry.ID, argument("The id of any object.")]
) -> Node | None:
    """The object with this id; null when there is none or it is not the caller's."""
    type_name, text = _split(id)
    source = _source(info, type_name)
    if source is None:
        raise _no_id()
    try:
        key = source.parse(text)
    except ValueError:
        raise _no_id() from None
    return await source.load(info.context, key)  # type: ignore[return-value]  # may be a domain value


def node_source(cls: type) -> NodeSource | None:
    """How the objects of the schema class are found, if it is a node type."""
    source: NodeSource | None = cls.__dict__.get("__node__")
    return source


def _source(info: Info, type_name: str) -> NodeSource | None:
    definition = info.schema.get_type_by_name(type_name)
    if not isinstance(definition, StrawberryObjectDefinition):
        return None
    return node_source(definition.origin)


def _split(global_id: str) -> tuple[str, str]:
    try:
        if len(global_id) > ID_LENGTH_MAX:
            raise _no_id()
        padded = global_id.encode("ascii") + b"=" * (-len(global_id) % 4)
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise _no_id() from None
    type_name, colon, key = plain.partition(":")
    # Only the one text that this server writes for an object is its id.
    if not colon or not plain.isprintable() or encode_global_id(type_name, key) != global_id:
        raise _no_id()
    return type_name, key


def _no_id() -> CodedError:
    return CodedError(FaultCode.BAD_ID, "This is not an id of this server.")
