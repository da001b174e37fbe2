"""What documents need of their callers: fragments, interfaces, several operations, directives."""

from __future__ import annotations

import pytest
from graphql import parse, validate

from schema.building import make_schema
from schema.documents import VALIDATION_RULES
from schema.fields import computed, field, interface_type, object_type
from schema.policies import OWNER, PUBLIC, staff
from schema.requirements import document_needs
from tests.schema.sample import build_sample

SCHEMA = build_sample()._schema


@interface_type(policy=PUBLIC)
class Named:
    """Named."""

    name: str
    """The name."""


@object_type()
class Mine(Named):
    """Mine."""

    name: str = field(OWNER)
    """The name, for the owner."""


@object_type()
class Theirs(Named):
    """Theirs."""

    name: str = field(staff())
    """The name, for staff."""


@object_type(name="Query")
class NamedQuery:
    """The root."""

    @computed(PUBLIC)
    def named(self) -> list[Named]:
        """Both."""
        return []


@object_type(name="Query")
class BareQuery:
    """The root."""

    bare: int = 1
    """Guarded by nothing."""


def needs(query: str) -> dict[str | None, list[str]]:
    """By operation: the first field that needs each policy."""
    document = parse(query)
    assert validate(SCHEMA, document, VALIDATION_RULES) == []
    found = document_needs(SCHEMA, document)
    return {
        name: [f"{one.coordinate} needs {one.policy}" for one in requirements]
        for name, requirements in found.requirements.items()
    }


OWNERS = "a token of kind member"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ping itself{ping __typename} __typename}", {None: []}),
        ("{me{phone}}", {None: [f"Query.me needs {OWNERS}"]}),
        # The same policy once, by the first field that needs it; the other one besides.
        (
            "{me{phone notes{nodes{text length}}}}",
            {
                None: [
                    f"Query.me needs {OWNERS}",
                    f"Note.length needs {OWNERS} or the staff role support",
                ]
            },
        ),
        # Each operation by itself.
        (
            "query A{ping} query B{me{phone}} query C{staff{motto}}",
            {
                "A": [],
                "B": [f"Query.me needs {OWNERS}"],
                "C": [
                    "Query.staff needs the staff role admin or support",
                    "StaffDesk.motto needs the staff role support",
                ],
            },
        ),
        # Through fragments of fragments.
        (
            "query A{...F} query B{ping} fragment F on Query{...G} fragment G on Query{me{phone}}",
            {"A": [f"Query.me needs {OWNERS}"], "B": []},
        ),
        # What a variable or a directive would leave out counts all the same.
        (
            "query A($x:Boolean!){me @include(if:$x){phone} ping @skip(if:true)}",
            {"A": [f"Query.me needs {OWNERS}"]},
        ),
        # A name that everybody may know, of things that only staff have.
        ("{things{name}}", {None: []}),
        (
            "{things{...on ClosedThing{label}}}",
            {None: ["ClosedThing.label needs the staff role support"]},
        ),
        # An id is given only to whoever was given its object.
        ('{node(id:"x"){id}}', {None: []}),
        ('{node(id:"x"){...on Note{text}}}', {None: [f"Note.text needs {OWNERS}"]}),
        ('{__schema{types{name}} __type(name:"Me"){name}}', {None: []}),
        ("mutation{knock{userErrors{code}}}", {None: []}),
        (
            'mutation{writeNote(input:{text:"x"}){note{text}}}',
            {None: [f"Mutation.writeNote needs {OWNERS}"]},
        ),
    ],
)
def test_needs(query: str, expected: dict[str | None, list[str]]) -> None:
    assert needs(query) == expected


def test_introspection_is_found_wherever_it_stands() -> None:
    document = parse("query A{ping} query B{...F} fragment F on Query{__schema{queryType{name}}}")
    found = document_needs(SCHEMA, document).introspections
    assert [node.name.value for node in found] == ["__schema"]


def test_a_field_of_an_interface_needs_what_any_type_behind_it_needs() -> None:
    schema = make_schema(query=NamedQuery, types=[Mine, Theirs])._schema
    requirements = document_needs(schema, parse("{named{name}}")).requirements[None]
    assert [one.policy for one in requirements] == [OWNER, staff()]


def test_a_field_without_a_policy_admits_nobody() -> None:
    result = make_schema(query=BareQuery).execute_sync("{bare}")
    assert result.errors is not None
    assert [error.extensions for error in result.errors] == [{"code": "UNAUTHENTICATED"}]
    assert result.data is None


@pytest.mark.parametrize(
    ("query", "versioned"),
    [
        ("{ping itself{ping} __typename}", {None}),
        ("{ping overflowing}", set()),
        ("{__schema{queryType{name}}}", set()),
        ("mutation{knock{userErrors{code}}}", set()),
        ("query A{ping} query B{overflowing} query C{...F} fragment F on Query{ping}", {"A", "C"}),
        (
            "query A{...F} query B{...G} fragment F on Query{...G} fragment G on Query{ping}",
            {"A", "B"},
        ),
        ("query A{...F} fragment F on Query{...G} fragment G on Query{overflowing}", set()),
        ('{node(id:"x"){id}}', set()),
        ("{things{name}}", {None}),
    ],
)
def test_which_operations_are_versioned(query: str, versioned: set[str | None]) -> None:
    """An attribute, and a method that awaits nothing, is; what reads something must say so."""
    document = parse(query)
    assert validate(SCHEMA, document, VALIDATION_RULES) == []
    assert document_needs(SCHEMA, document).versioned == versioned
