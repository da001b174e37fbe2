"""Every field of a schema as operations reach it, and the documents that ask for it.

A place is the way from a root to one field. From each field of the query every field behind it is
reached once, by the shortest way; from `node` as one type its own fields, and from mutations what
they alone lead to: what is behind these is reached from elsewhere. Nothing here knows the names of
the schema's own types but those of its scalars, so a new field has its place by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from api.fake_wechat import DEMO_APP_ID
from schema.policies import NOBODY, Policy
from schema.requirements import field_policy
from tests.graphql.gateway import cursor, global_id

SCALARS = {
    "String": '"x"',
    "Int": "1",
    "Float": "1.0",
    "Boolean": "true",
    "Points": "1",
    "Fen": "100",
    "Date": '"2000-01-01"',
    "DateTime": '"2026-03-01T11:00:00Z"',
    "URL": '"https://img.jifen.example/x.png"',
    "PhoneNumber": '"+8613800138000"',
}
"""A valid literal of each scalar; ids come with the values."""

FROM_THE_BEGINNING = cursor('["events",0]')
"""Where a member's stream begins: whoever follows from here gets something at once."""

Composite = GraphQLObjectType | GraphQLInterfaceType


@dataclass(frozen=True, slots=True)
class Step:
    """One field on the way, and the type that it is asked of; under a type condition, if any."""

    owner: str
    name: str
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A field as an operation of one kind reaches it."""

    operation: str
    steps: tuple[Step, ...]

    @property
    def coordinate(self) -> str:
        """The field."""
        return f"{self.steps[-1].owner}.{self.steps[-1].name}"

    @property
    def entry(self) -> str:
        """The root field that it is reached by, and as which types what is asked there."""
        first, *rest = self.steps
        conditions = [step.condition for step in rest if step.condition]
        return " as ".join([f"{first.owner}.{first.name}", *conditions[:1]])

    @property
    def node_type(self) -> str | None:
        """The type that `node` is asked as; None for other entries."""
        if self.steps[0].name != "node" or len(self.steps) == 1:
            return None
        return self.steps[1].condition


@dataclass(slots=True)
class Walk:
    """The places of one schema."""

    schema: GraphQLSchema
    places: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        query, mutation = self.schema.query_type, self.schema.mutation_type
        assert query is not None
        for name in sorted(query.fields.keys() - {"node"}):
            self._walk("query", (Step(query.name, name),), set())
        if "node" in query.fields:
            self._walk_nodes(query)
        seen = {place.coordinate for place in self.places}
        if mutation is not None:
            for name in mutation.fields:
                self._walk("mutation", (Step(mutation.name, name),), seen)
        if self.schema.subscription_type is not None:
            for name in self.schema.subscription_type.fields:
                step = Step(self.schema.subscription_type.name, name)
                self._walk("subscription", (step,), set())

    def unreached(self) -> set[str]:
        """The fields of all types that have no place."""
        return all_fields(self.schema) - {place.coordinate for place in self.places}

    def policies(self, place: Place) -> Iterator[Policy]:
        """What each field on the way asks of the caller; of an interface's, what each type asks."""
        for step in place.steps:
            owner = self.composite(step.owner)
            owners = [owner]
            if isinstance(owner, GraphQLInterfaceType):
                owners += self.schema.get_possible_types(owner)
            for one in owners:
                yield field_policy(one.fields[step.name]) or NOBODY

    def composite(self, name: str) -> Composite:
        """The object type or interface."""
        found = self.schema.type_map[name]
        assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
        return found

    def declared(self, step: Step) -> GraphQLField:
        """The field of a step."""
        declared: GraphQLField = self.composite(step.owner).fields[step.name]
        return declared

    def _walk_nodes(self, query: GraphQLObjectType) -> None:
        way = (Step(query.name, "node"),)
        node = get_named_type(query.fields["node"].type)
        assert isinstance(node, GraphQLInterfaceType)
        self.places.append(Place("query", way))
        for name in node.fields:
            self.places.append(Place("query", (*way, Step(node.name, name))))
        seen = {place.coordinate for place in self.places}
        for one in self.schema.get_possible_types(node):
            seen -= {f"{one.name}.{name}" for name in one.fields}
            for name in one.fields:
                self._walk("query", (*way, Step(one.name, name, condition=one.name)), seen)

    def _walk(self, operation: str, way: tuple[Step, ...], seen: set[str]) -> None:
        """Breadth first, so that each field is reached by a shortest way."""
        pending = deque([way])
        while pending:
            steps = pending.popleft()
            place = Place(operation, steps)
            if place.coordinate in seen:
                continue
            seen.add(place.coordinate)
            self.places.append(place)
            below = get_named_type(self.declared(steps[-1]).type)
            if isinstance(below, GraphQLObjectType | GraphQLInterfaceType):
                pending += ((*steps, step) for step in self._steps_into(below))

    def _steps_into(self, below: Composite) -> Iterator[Step]:
        for name in below.fields:
            yield Step(below.name, name)
        if isinstance(below, GraphQLInterfaceType):
            for one in self.schema.get_possible_types(below):
                for name in one.fields:
                    yield Step(one.name, name, condition=one.name)


def all_fields(schema: GraphQLSchema) -> set[str]:
    """The coordinates of all fields but those of introspection."""
    return {
        f"{owner.name}.{name}"
        for owner in schema.type_map.values()
        if isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
        and not owner.name.startswith("__")
        for name in owner.fields
    }


Tree = dict[Step, "Tree"]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes documents. `member` is the global id to name in every place that wants a member.

    `order` and `ticket` are those to name in every place that wants one.
    """

    walk: Walk
    member: str
    order: str
    ticket: str

    def document(self, places: Iterable[Place], *, node: str = "") -> str:
        """One operation that asks for all the places, of one entry; `node` is the id to ask."""
        tree: Tree = {}
        operation = ""
        for place in places:
            operation = place.operation
            branch = tree
            for step in place.steps:
                branch = branch.setdefault(step, {})
        return f"{operation} {self._selection(tree, node)}"

    def _selection(self, tree: Tree, node: str) -> str:
        parts = []
        for step, below in tree.items():
            declared = self.walk.declared(step)
            text = step.name + self._arguments(declared, step, node)
            if isinstance(get_named_type(declared.type), GraphQLObjectType | GraphQLInterfaceType):
                text += " " + (self._selection(below, node) if below else "{ __typename }")
            parts.append(f"... on {step.condition} {{ {text} }}" if step.condition else text)
        return f"{{ {' '.join(parts)} }}"

    def _arguments(self, declared: GraphQLField, step: Step, node: str) -> str:
        given = {
            name: self.literal(argument.type)
            for name, argument in declared.args.items()
            if is_required_argument(argument)
        }
        if "orderId" in given:
            given["orderId"] = f'"{self.order}"'
        if (step.owner, step.name) == ("Query", "node"):
            given["id"] = f'"{node or self.member}"'
        if "ticketId" in given or (step.owner, step.name) == ("Staff", "ticket"):
            given["id" if "id" in given else "ticketId"] = f'"{self.ticket}"'
        if "productId" in given:
            given["productId"] = ids_of_nobody("productId") or ""
        if "surface" in given:
            given["surface"] = "LETTERS"  # It has all that the others have, and a letter.
        if "appId" in given:
            given["appId"] = f'"{DEMO_APP_ID}"'
        if step.name == "messages":
            # Within pages of tickets, whole pages of them cost more than one may ask for.
            given["first"] = "2"
        if step.owner == "Subscription" and "since" in declared.args:
            given["since"] = f'"{FROM_THE_BEGINNING}"'
        listed = ", ".join(f"{name}: {value}" for name, value in given.items())
        return f"({listed})" if listed else ""

    def literal(self, wanted: GraphQLInputType) -> str:
        """A minimal valid value of the type: what need not be said is left out."""
        match wanted:
            case GraphQLNonNull():
                return self.literal(wanted.of_type)
            case GraphQLList():
                return f"[{self.literal(wanted.of_type)}]"
            case GraphQLEnumType():
                return str(next(iter(wanted.values)))
            case GraphQLInputObjectType():
                return self._input(wanted)
        return f'"{self.member}"' if wanted.name == "ID" else SCALARS[wanted.name]

    def _input(self, wanted: GraphQLInputObjectType) -> str:
        fields: Mapping[str, GraphQLInputField | GraphQLArgument] = wanted.fields
        definition = wanted.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        if definition.is_one_of:
            # By its id, where it has one; else by the first way that there is.
            way = "id" if "id" in wanted.fields else next(iter(wanted.fields))
            fields = {way: wanted.fields[way]}
        else:
            fields = {n: one for n, one in wanted.fields.items() if is_required_input_field(one)}
        values = {
            name: ids_of_nobody(name) or self.literal(one.type) for name, one in fields.items()
        }
        listed = ", ".join(f"{name}: {value}" for name, value in values.items())
        return f"{{ {listed} }}"


def ids_of_nobody(name: str) -> str | None:
    """The literal of an id of the type that an input of this name asks for, which nobody has."""
    nobody = "01977c1e-0000-7000-8000-000000000000"
    keys = {
        "adjustmentId": ("Adjustment", nobody),
        "holdId": ("PointsHold", f"{nobody}:{nobody}"),
        "productId": ("Product", nobody),
        "rewardId": ("Reward", nobody),
        "redemptionId": ("Redemption", f"{nobody}:{nobody}"),
        "addressId": ("Address", f"{nobody}:{nobody}"),
        "mergeId": ("MemberMerge", nobody),
        "campaignId": ("GameCampaign", nobody),
        "perkId": ("Perk", nobody),
        "useId": ("PerkUse", f"{nobody}:{nobody}"),
        "grantId": ("LevelGrant", nobody),
        "ticketId": ("Ticket", nobody),
        "duplicateIds": ("Ticket", nobody),
        "messageId": ("TicketMessage", nobody),
    }
    return f'"{global_id(*keys[name])}"' if name in keys else None


def values_at(answer: Any, steps: tuple[Step, ...]) -> Iterator[Any]:
    """The values that an answer's data has at a place: of lists, those of all items."""
    if isinstance(answer, list):
        for item in answer:
            yield from values_at(item, steps)
    elif not steps:
        yield answer
    elif isinstance(answer, dict) and steps[0].name in answer:
        yield from values_at(answer[steps[0].name], steps[1:])
