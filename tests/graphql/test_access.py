"""Who may do what: every operation and every field of an object, by every kind of caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_required_argument,
)

from tests.graphql.conftest import Scene
from tests.graphql.gateway import GRAPHQL_JSON
from tests.repository.tree import ROOT

on_the_modules_loop = pytest.mark.asyncio(loop_scope="module")

SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text())
CALLERS = ("nobody", "member", "shop", "narrow shop", "partner", "staff")
MEMBER, SHOP, EVERYBODY = {"member"}, {"shop"}, set(CALLERS)

# Each root field with a selection, and who may ask for it. A new one must be added here.
ROOTS = {
    "Query.program": ("{ program { name } }", EVERYBODY),
    "Query.me": ("{ me { id } }", MEMBER),
    "Query.node": ('{ node(id: "ALICE") { id } }', EVERYBODY),
    "Mutation.signInWithWeChat": (
        'mutation { signInWithWeChat(input: { appId: "wx0", code: "x" }) { userErrors { code } } }',
        EVERYBODY,
    ),
    "Mutation.refreshSession": (
        'mutation { refreshSession(input: { refreshToken: "x" }) { userErrors { code } } }',
        EVERYBODY,
    ),
    "Mutation.signOut": ("mutation { signOut { userErrors { code } } }", MEMBER),
    "Mutation.updateProfile": (
        'mutation { updateProfile(input: { gender: "?" }) { userErrors { code } } }',
        MEMBER,
    ),
    "Mutation.setInterests": (
        'mutation { setInterests(input: { themes: ["?"] }) { userErrors { code } } }',
        MEMBER,
    ),
    "Mutation.recordPurchases": (
        'mutation { recordPurchases(input: { batchId: "", orders: [] }) { userErrors { code } } }',
        SHOP,
    ),
}
CHANGES_SOMETHING = {"Mutation.signOut"}
"""What those who may ask for it cannot ask without a change; it has tests of its own."""


async def token(scene: Scene, caller: str) -> str | None:
    gateway = scene.gateway
    match caller:
        case "member":
            return scene.alice.access_token
        case "shop":
            return scene.shop
        case "narrow shop":
            return await gateway.shop("points:hold")
        case "partner":
            return await gateway.partner()
        case "staff":
            return await gateway.staff()
    return None


async def refusal(scene: Scene, query: str, caller: str) -> str | None:
    """The code by which the caller is refused, before anything is done; None for an answer."""
    response = await scene.gateway.ask(query, token=await token(scene, caller), accept=GRAPHQL_JSON)
    body = response.json()
    if "data" in body:
        assert response.status_code == 200
        assert "errors" not in body, response.text
        return None
    (error,) = body["errors"]
    code = str(error["extensions"]["code"])
    assert response.status_code == {"UNAUTHENTICATED": 401, "FORBIDDEN": 403}[code]
    return code


def expected(caller: str, admitted: set[str]) -> str | None:
    if caller in admitted:
        return None
    return "UNAUTHENTICATED" if caller == "nobody" else "FORBIDDEN"


def test_every_root_field_is_in_the_table() -> None:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type)
    assert ROOTS.keys() == {f"{root.name}.{name}" for root in roots if root for name in root.fields}


@on_the_modules_loop
@pytest.mark.parametrize("caller", CALLERS)
async def test_each_operation_admits_whom_it_is_for(scene: Scene, caller: str) -> None:
    for root, (query, admitted) in ROOTS.items():
        if root in CHANGES_SOMETHING and caller in admitted:
            continue
        asked = query.replace("ALICE", scene.alice.member_id)
        assert await refusal(scene, asked, caller) == expected(caller, admitted), root
    await scene.assert_unchanged()


# Node types, whose fields can be asked of any caller through `node`, and whom they admit.
NODE_TYPES = {"Member": MEMBER, "LedgerEntry": MEMBER, "Coupon": MEMBER, "Product": EVERYBODY}
INHERITED = {"id"}
"""Fields of every node, which everybody may ask for: what is not one's own is null as a whole."""


def selections(of: GraphQLObjectType, *, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Each field that can be reached from the type, as a selection that asks for it alone."""
    for name, field in of.fields.items():
        asked = name + arguments(field)
        below = get_named_type(field.type)
        if not isinstance(below, GraphQLObjectType | GraphQLInterfaceType):
            yield asked
        elif isinstance(below, GraphQLObjectType) and below.name not in (*seen, of.name):
            for inner in selections(below, seen=(*seen, of.name)):
                yield f"{asked} {{ {inner} }}"


def arguments(field: GraphQLField) -> str:
    required = [name for name, one in field.args.items() if is_required_argument(one)]
    assert required in ([], ["surface"]), required
    return "(surface: HOME)" if required else ""


def fields_of_nodes(schema: GraphQLSchema) -> Iterator[tuple[str, str, set[str]]]:
    """(type, selection, who may ask) for every field that can be reached from a node."""
    for type_name, admitted in NODE_TYPES.items():
        of = schema.type_map[type_name]
        assert isinstance(of, GraphQLObjectType)
        for selection in selections(of):
            yield type_name, selection, EVERYBODY if selection in INHERITED else admitted


@on_the_modules_loop
async def test_each_field_of_each_node_admits_whom_it_is_for(
    scene: Scene, tally: Callable[[str, int, int], None]
) -> None:
    """As the only field of its own that a document asks for, so that no other one is refused."""
    asked = 0
    for type_name, selection, admitted in fields_of_nodes(SCHEMA):
        query = (
            f'{{ node(id: "{scene.alice.member_id}") {{ ... on {type_name} {{ {selection} }} }} }}'
        )
        for caller in CALLERS:
            assert await refusal(scene, query, caller) == expected(caller, admitted), query
            asked += 1
    await scene.assert_unchanged()
    tally("fields of nodes, asked by each kind of caller", asked, 700)


def test_every_node_type_is_in_the_table() -> None:
    node = SCHEMA.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    assert {one.name for one in SCHEMA.get_possible_types(node)} == NODE_TYPES.keys()


@on_the_modules_loop
async def test_one_field_that_is_not_the_callers_refuses_the_whole_operation(scene: Scene) -> None:
    """Nothing before it is done, as the second of two mutations shows."""
    order = f"""{{ externalId: "Z", member: {{ id: "{scene.alice.member_id}" }}, paid: 100,
        placedAt: "2026-03-01T11:00:00Z",
        lines: [{{ lineId: "1", productCode: "cup", quantity: 1, amount: 100 }}] }}"""
    query = f"""mutation {{
        recordPurchases(input: {{ batchId: "z", orders: [{order}] }}) {{ batch {{ id }} }}
        signOut {{ signedOut }} }}"""
    for caller in CALLERS:
        assert await refusal(scene, query, caller) == expected(caller, set())
    await scene.assert_unchanged()
