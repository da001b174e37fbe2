"""What operations cost: exact numbers, on the sample schema and on the real one."""

from __future__ import annotations

import inspect
import time
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_introspection_query,
    get_named_type,
    is_introspection_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from schema.building import JifenSchema
from schema.cost_plans import CostPlan
from schema.documents import DocumentLimits, InvalidDocument
from schema.field_costs import FieldCost, field_cost, is_connection
from schema.root import build_schema
from tests.graphql.operations import operation
from tests.schema.sample import build_sample

SAMPLE = build_sample()
REAL = build_schema()

NOTES = "{me{notes(first:%s){nodes{text}}}}"


def plan(query: str, *, schema: JifenSchema = SAMPLE, name: str | None = None) -> CostPlan:
    return schema.prepare(query).costs[name]


def cost(query: str, variables: dict[str, Any] | None = None, **more: Any) -> int:
    return plan(query, **more).requested(variables)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # An object, and one more for each five further fields; the root is one.
        ("{ping}", 1),
        ("{__typename}", 1),
        ("{a:ping b:ping c:ping d:ping e:ping}", 1),
        ("{a:ping b:ping c:ping d:ping e:ping __typename}", 1),
        ("{a:ping b:ping c:ping d:ping e:ping f:__typename}", 2),
        ("{itself{ping}}", 2),
        ("{itself{itself{ping}}}", 3),
        # Root, me, connection, and what is inside it as often as `first` says.
        (NOTES % 7, 3 + 7),
        (NOTES % "null", 3 + 20),
        ("{me{notes{nodes{text}}}}", 3 + 20),
        ("{me{notes(first:7){edges{cursor}}}}", 3 + 7),
        ("{me{notes(first:7){edges{node{text}}}}}", 3 + 2 * 7),
        ("{me{notes(first:7){nodes{text} edges{node{text}} pageInfo{endCursor}}}}", 3 + 3 * 7 + 1),
        # What is out of range is refused by the field.
        (NOTES % 0, 3 + 100),
        (NOTES % 101, 3 + 100),
        (NOTES % -1, 3 + 100),
        # A list whose length nobody declares; its types are added.
        ("{things{name}}", 1 + 100),
        ("{things{... on OpenThing{name} ... on ClosedThing{name label}}}", 1 + 100),
    ],
)
def test_objects_are_counted_as_often_as_there_may_be(query: str, expected: int) -> None:
    assert cost(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "{me{notes(first:7){nodes{text} nodes{mood} ...{nodes{text}}}}}",
        "{me{...A ...B}} fragment A on Me{notes(first:7){nodes{text}}}"
        " fragment B on Me{notes(first:7){nodes{mood} ...C}}"
        " fragment C on NoteConnection{nodes{text}}",
        "{me{...A ...A} me{notes(first:7){nodes{mood}}}}"
        " fragment A on Me{notes(first:7){nodes{text}}}",
    ],
)
def test_what_is_merged_is_counted_once(query: str) -> None:
    assert cost(query) == 3 + 7


def test_aliases_are_counted_each() -> None:
    assert cost("{me{a:notes(first:7){nodes{text}} b:notes(first:5){nodes{text}}}}") == 2 + 8 + 6


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"n": 7}, 3 + 7),
        ({"n": 7.0}, 3 + 7),
        ({"n": None}, 3 + 20),
        ({}, 3 + 20),
        (None, 3 + 20),
        ({"n": 101}, 3 + 100),
        ({"n": "7"}, 3 + 100),
        ({"n": []}, 3 + 100),
    ],
)
def test_lengths_are_taken_from_variables(variables: dict[str, Any] | None, expected: int) -> None:
    query = "query($n:Int){me{notes(first:$n){nodes{text}}}}"
    assert cost(query, variables) == expected
    assert plan(query).known is None
    assert plan(query).least == 3 + 1


def test_defaults_of_variables_hold_where_they_are_left_out() -> None:
    query = "query($n:Int=3){me{notes(first:$n){nodes{text}}}}"
    assert (cost(query), cost(query, {"n": 9}), cost(query, {"n": None})) == (6, 12, 23)


def test_lengths_multiply() -> None:
    query = "query($a:Int){itself{me{notes(first:$a){edges{node{text}}}}}}"
    assert cost(query, {"a": 10}) == 4 + 2 * 10


@pytest.mark.parametrize(
    ("directives", "variables", "expected"),
    [
        ("@include(if:true)", {}, 10),
        ("@include(if:false)", {}, 2),
        ("@skip(if:true)", {}, 2),
        ("@include(if:$a)", {"a": True}, 10),
        ("@include(if:$a)", {"a": False}, 2),
        ("@skip(if:$a)", {"a": True}, 2),
        ("@skip(if:$a)", {"a": False}, 10),
        ("@include(if:$a) @skip(if:$b)", {"a": True, "b": False}, 10),
        ("@include(if:$a) @skip(if:$b)", {"a": True, "b": True}, 2),
        ("@include(if:$a) @skip(if:$a)", {"a": True}, 2),
    ],
)
def test_what_is_left_out_costs_nothing(
    directives: str, variables: dict[str, bool], expected: int
) -> None:
    names = [name for name in ("a", "b") if f"${name}" in directives]
    declared = f"query({','.join(f'${name}:Boolean!' for name in names)})" if names else "query"
    query = f"{declared}{{me{{phone notes(first:7){directives}{{nodes{{text}}}}}}}}"
    assert cost(query, variables) == expected


def test_conditions_of_merged_fields_are_told_apart() -> None:
    query = """query($a:Boolean!,$b:Boolean!) {
      me {
        phone
        notes(first:7) @include(if:$a) {nodes{text}}
        ... @include(if:$b) {notes(first:7) {edges{cursor}}}
      }
    }"""
    expected = {(False, False): 2, (True, False): 10, (False, True): 10, (True, True): 17}
    assert {
        (a, b): cost(query, {"a": a, "b": b}) for a in (False, True) for b in (False, True)
    } == expected
    assert plan(query).least == 2


def test_each_operation_has_its_own_cost() -> None:
    query = "query A{ping} query B{itself{ping}} mutation C{knock{note{text}}}"
    costs = {name: cost(query, name=name) for name in "ABC"}
    assert costs == {"A": 1, "B": 2, "C": 1 + 10 + 2}


PLANNED = {
    "SignInWithWeChat": 20,
    "RefreshSession": 14,
    "SignOut": 13,
    "UpdateProfile": 14,
    "Changes": 108,
    "PointsChanged": 13,
}


@pytest.mark.parametrize("name", PLANNED)
def test_planned_operations_cost_what_they_say(name: str) -> None:
    assert plan(operation(name), schema=REAL, name=name).known == PLANNED[name]


def test_the_home_page_costs_by_what_it_asks_for() -> None:
    home = plan(operation("Home"), schema=REAL, name="Home")
    # 20 entries of 2 and their edges and sources, 10 products with theme, price and reasons.
    # A level asks for up to three things.
    assert home.requested(None) == 382
    assert home.requested({"ledgerFirst": 10}) == 382 - 10 * 4
    assert home.requested({"recommendationsFirst": 9}) == 382 - 19
    assert home.least == 135


def test_a_batch_costs_by_its_items() -> None:
    batch = plan(operation("RecordPurchases"), schema=REAL, name="RecordPurchases")
    for count in (0, 1, 500):
        orders = {"input": {"batchId": "b", "orders": [{}] * count}}
        assert batch.requested(orders) == 14 + 3 * count
    # A list may be written as its one item.
    assert batch.requested({"input": {"batchId": "b", "orders": {}}}) == 17
    assert batch.requested({"input": None}) == batch.requested({}) == 14
    written = (
        "mutation($o:OrderInput!,$all:[OrderInput!]!){"
        'a:recordPurchases(input:{batchId:"a",orders:[$o,$o]}){batch{id}}'
        'b:recordPurchases(input:{batchId:"b",orders:$all}){batch{receipts{index}}}}'
    )
    assert cost(written, {"all": [{}] * 3}, schema=REAL) == 1 + (12 + 2) + (12 + 2 * 3)


def test_the_answer_is_counted_as_long_as_it_is() -> None:
    asked = plan("query($n:Int){me{notes(first:$n){nodes{text} pageInfo{endCursor}}}}")
    assert asked.requested({"n": 100}) == 104
    page: dict[str, Any] = {"nodes": [{"text": "x"}] * 3, "pageInfo": {"endCursor": "c"}}
    assert asked.actual({"me": {"notes": page}}, {"n": 100}) == 4 + 3
    assert asked.actual({"me": None}, {"n": 100}) == 1
    batch = plan(operation("RecordPurchases"), schema=REAL, name="RecordPurchases")
    variables: dict[str, Any] = {"input": {"orders": [{}] * 5}}
    assert batch.requested(variables) == 14 + 3 * 5
    refused = {"recordPurchases": {"userErrors": [{"code": "X"}], "batch": None}}
    # The orders were looked at; there are no receipts.
    assert batch.actual(refused, variables) == 18
    recorded = {"recordPurchases": {"userErrors": [], "batch": {"receipts": [{}] * 5}}}
    assert batch.actual(recorded, variables) == 13 + 3 * 5


def test_introspection_is_counted_from_the_schema() -> None:
    real, sample = (
        cost(get_introspection_query(), schema=schema, name="IntrospectionQuery")
        for schema in (REAL, SAMPLE)
    )
    assert 40 < sample < real < 1_200
    types = len(SAMPLE._schema.type_map)
    assert cost("{__schema{types{name}}}") == 1 + -(-(1 + types) // 8)
    assert cost("{__schema{queryType{name}}}") == 1 + 1
    # The type of which it costs most.
    fields = len(SAMPLE._schema.type_map["Query"].fields)  # type: ignore[attr-defined]  # an object
    assert cost('{__type(name:"Note"){fields{name}}}') == 1 + -(-(1 + fields) // 8)


def doubling(steps: int) -> str:
    """Fragments of which each asks twice for the next, without any alias."""
    return (
        "{me{notes(first:1){...F0}}}"
        + "".join(
            f"fragment F{step} on NoteConnection{{...F{step + 1} nodes{{...N{step}}}}}"
            f"fragment N{step} on Note{{...N{step + 1}}}"
            for step in range(steps)
        )
        + f"fragment F{steps} on NoteConnection{{edges{{cursor}}}}"
        + f"fragment N{steps} on Note{{text}}"
    )


def test_fragments_that_double_cost_no_more_than_their_text() -> None:
    started_at = time.perf_counter()
    assert cost(doubling(60)) == 3 + 2
    # Two ways down at each of 60 steps.
    steps = "".join(
        f"fragment F{step} on Query{{itself{{...F{step + 1}}} a:itself{{...F{step + 1}}}}}"
        for step in range(60)
    )
    assert cost(f"{{...F0}}{steps}fragment F60 on Query{{ping}}") == 2**61 - 1
    assert time.perf_counter() - started_at < 2


def test_a_document_without_end_is_too_involved() -> None:
    schema = build_sample(DocumentLimits(cost_max=500, batch_cost_max=1_000))
    # No two of these selections are the same, and there are 3^9 of them.
    involved = "ping"
    fragments = ""
    for step in range(9):
        fragments += f"fragment F{step} on Query{{{involved}}}"
        involved = " ".join(f"{name}:itself{{{name}{step}:ping ...F{step}}}" for name in "abc")
    with pytest.raises(InvalidDocument) as refused:
        schema.prepare(f"{{{involved}}}{fragments}")
    assert [error.extensions["code"] for error in refused.value.errors] == ["COST_LIMIT"]  # type: ignore[index]  # coded


def test_what_can_never_be_afforded_is_refused_before_it_is_kept() -> None:
    schema = build_sample(DocumentLimits(cost_max=50, batch_cost_max=100))
    assert cost(NOTES % 97, schema=schema) == 100
    with pytest.raises(InvalidDocument) as refused:
        schema.prepare(NOTES % 98)
    assert [error.extensions for error in refused.value.errors] == [
        {"code": "COST_LIMIT", "limit": 100, "requested": 101}
    ]
    assert schema.documents.kept(NOTES % 98) is None
    # By its variables this one may be affordable.
    asked = "query($n:Int){me{notes(first:$n){nodes{text}}}}"
    assert cost(asked, {"n": 100}, schema=schema) == 103


def test_every_field_that_waits_for_something_says_what_it_costs() -> None:
    unsaid = []
    for named in REAL._schema.type_map.values():
        for name, definition in getattr(named, "fields", {}).items():
            backref = GraphQLCoreConverter.DEFINITION_BACKREF
            resolver = getattr(definition.extensions.get(backref), "base_resolver", None)
            waits = resolver is not None and (
                inspect.iscoroutinefunction(resolver.wrapped_func)
                or inspect.isasyncgenfunction(resolver.wrapped_func)
            )
            if waits and not field_cost(definition).cost.own:
                unsaid.append(f"{named.name}.{name}")
    # Whoever asks is known already, and so is the programme after its first field.
    assert unsaid == [
        *("Product.price", "Query.me", "Query.partner", "Query.staff"),
        "GameFunnel.cost",
    ]


def lists_of_objects() -> dict[tuple[str, str], FieldCost]:
    """The fields of the schema that give several objects, those of connections apart."""
    found = {}
    for named in REAL._schema.type_map.values():
        has_fields = isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
        if has_fields and not is_introspection_type(named) and not is_connection(named):
            for name, definition in named.fields.items():  # type: ignore[attr-defined]  # as above
                declared = field_cost(definition)
                if declared.is_list and declared.gives is not None:
                    found[named.name, name] = declared
    return found


def bounded_from_above() -> set[tuple[str, str]]:
    """The lists whose length a field above them says."""
    bounded = set()
    for named in REAL._schema.type_map.values():
        for definition in getattr(named, "fields", {}).values():
            if not isinstance(definition, GraphQLField):
                continue
            declared = field_cost(definition)
            for path in declared.cost.of:
                *above, name = path.split(".")
                holder: Any = declared.gives
                for step in above:
                    holder = get_named_type(holder.fields[step].type)
                assert name in holder.fields, f"{path} leads nowhere below {holder}"
                bounded.add((holder.name, name))
    return bounded


def test_every_list_of_objects_in_the_schema_says_how_long_it_may_be() -> None:
    lists = lists_of_objects()
    assert len(lists) > 8
    bounded = bounded_from_above()
    assert [
        place for place, one in lists.items() if not one.bounds_itself and place not in bounded
    ] == []
