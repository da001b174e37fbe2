"""What graphql-cop, graphw00f, clairvoyance, InQL and DAST rule lists ask of a GraphQL endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.graphql.gateway import global_id
from tests.graphql.kept import everything_kept
from tests.security.target import Target, code_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGN_OUT = "mutation { signOut { signedOut } }"
MANY = 500

# Documents that must not run, for whoever sends them: the code of the refusal.
OVERLOADS = {
    "101 aliases": (f"{{ {' '.join(f'a{n}: __typename' for n in range(101))} }}", "ALIAS_LIMIT"),
    "aliases in fragments": (
        f"{{ {'...F ' * 20} }} fragment F on Query {{ a: __typename b: __typename }}",
        "ALIAS_LIMIT",
    ),
    "ten unknown directives": (f"{{ __typename {'@aa' * 10} }}", "DIRECTIVE_LIMIT"),
    "ten known directives": (
        f"{{ __typename {'@include(if: true)' * 10} }}",
        "DIRECTIVE_LIMIT",
    ),
    "directives on the query": (f"query {'@aa' * 10} {{ __typename }}", "DIRECTIVE_LIMIT"),
    "500 times the same field": (f"{{ {'__typename ' * MANY} }}", "REPETITION_LIMIT"),
    "500 times the same fragment": (
        f"{{ {'...F ' * MANY} }} fragment F on Query {{ __typename }}",
        "REPETITION_LIMIT",
    ),
    "eleven levels": (f"{'{a' * 11}{'}' * 11}", "DEPTH_LIMIT"),
    "levels in fragments": (
        "{a{...A}} fragment A on Query {a{a{a{a{...B}}}}} fragment B on Query {a{a{a{a{a{a}}}}}}",
        "DEPTH_LIMIT",
    ),
    "a flood of tokens": (f"{{ {'a ' * 3_000} }}", "TOKEN_LIMIT"),
    "a flood of comments": ("{ __typename }" + "#\n" * 3_000, "TOKEN_LIMIT"),
    "a flood of braces": ("{" * 3_000, "GRAPHQL_PARSE_FAILED"),
    "a flood of brackets": ("{ node(id: " + "[" * 3_000, "GRAPHQL_PARSE_FAILED"),
    "a flood of variables": (
        f"query({' '.join(f'$v{n}: Int' for n in range(1_000))}) {{ __typename }}",
        "TOKEN_LIMIT",
    ),
    "circular fragments": (
        "{...A} fragment A on Query {__typename ...B} fragment B on Query {...A}",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a fragment in itself": (
        "{...A} fragment A on Query {__typename ...A}",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "circular fragments that double": (
        "{...A} fragment A on Query {...B ...B ...C} fragment B on Query {...C ...A ...C}"
        " fragment C on Query {...A ...B}",
        "GRAPHQL_VALIDATION_FAILED",
    ),
}


@pytest.mark.parametrize("name", OVERLOADS)
async def test_overloads_are_refused(target: Target, name: str) -> None:
    document, code = OVERLOADS[name]
    for by in ("nobody", "member"):
        assert await target.code(document, by=by) == code


async def test_a_query_that_costs_too_much_is_refused(target: Target) -> None:
    lines = "lines { quantity product { id title } }"
    document = f"{{ me {{ purchases(first: 100) {{ nodes {{ id {lines} }} }} }} }}"
    assert await target.code(document, by="member") == "COST_LIMIT"


NESTED = "fields { type {"
CIRCULAR = (
    "{ __schema { types { " + NESTED * 5 + " name " + "} }" * 5 + " } } }",
    '{ __type(name: "Query") { ' + NESTED * 5 + " name " + "} }" * 5 + " } }",
    "{ __schema { types { possibleTypes { interfaces { possibleTypes { interfaces {"
    " possibleTypes { name } } } } } } } }",
    "{ __schema { ...A } } fragment A on __Schema { __typename ...B }"
    " fragment B on __Schema { ...A }",
)


@pytest.mark.parametrize("document", CIRCULAR)
async def test_circular_introspection_is_refused_to_those_who_may_introspect(
    target: Target, document: str
) -> None:
    assert await target.code(document) in {"INTROSPECTION_DISABLED", "GRAPHQL_VALIDATION_FAILED"}
    assert await target.code(document, by="member") == "GRAPHQL_VALIDATION_FAILED"


# What gets around naive filters: white space, aliases, fragments, directives, names, both meanings.
INTROSPECTION = (
    "{__schema{types{name}}}",
    "query IntrospectionQuery { __schema { queryType { name } } }",
    "{ __schema\n { types { name } } }",
    "{ __schema,,,{ types { name } } }",
    "{ __schema # comment\n { types { name } } }",
    "\ufeff{ __schema { types { name } } }",
    "{ harmless: __schema { types { name } } }",
    "{ ...F } fragment F on Query { __schema { types { name } } }",
    "{ ... on Query { __schema { types { name } } } }",
    "{ ... { ... { __schema { types { name } } } } }",
    "{ ... @include(if: true) { __schema { types { name } } } }",
    '{ __type(name: "Member") { fields { name } } }',
    'query($n: String = "Query") { __type(name: $n) { fields { name args { name } } } }',
    "mutation { __schema { types { name } } }",
    "{ program { name } __schema { directives { name } } }",
    "query A { __schema { types { name } } }",
)


@pytest.mark.parametrize("document", INTROSPECTION)
async def test_nobody_introspects_without_a_token(target: Target, document: str) -> None:
    code = await target.code(document)
    assert code in {"INTROSPECTION_DISABLED", "GRAPHQL_VALIDATION_FAILED"}
    response = await target.send(method="GET", params={"query": document})
    assert response.status_code == 405
    several = f"query Harmless {{ __typename }} {document.replace('query A', 'query')}"
    assert await target.code(several, operationName="Harmless") is not None


async def test_the_schema_is_not_served_without_a_token(target: Target) -> None:
    response = await target.send(method="GET", path="/schema.graphql")
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")


# Words close to real names, as tools that rebuild a schema from suggestions try them.
ALMOST = (
    "{ progam { name } }",
    "{ program { nme } }",
    "{ m { id } }",
    "{ nod(id: 1) { id } }",
    "{ node(idd: 1) { id } }",
    '{ node(id: "x") { ... on Membr { id } } }',
    '{ node(id: "x") { ...F } } fragment F on Membre { id }',
    "mutation { signOutt { signedOut } }",
    "mutation { signOut(inpt: {}) { signedOut } }",
    'mutation { signInWithWeChat(input: { appid: "x", code: "x" }) { userErrors { code } } }',
    "query($v: SignOutInputt) { __typename }",
    "{ __schema { directive } }",
    "{ __typename @skp(if: true) }",
    "{ __typename @skip(iff: true) }",
    "{ ...Missing }",
)


@pytest.mark.parametrize("document", ALMOST)
async def test_nothing_is_suggested_to_who_has_no_token(target: Target, document: str) -> None:
    response = await target.ask(document)
    assert response.status_code == 400
    assert "did you mean" not in response.text.lower()
    variables = {"v": {"everywher": True}}
    document = "mutation($v: SignOutInput) { signOut(input: $v) { signedOut } }"
    assert "everywhere" not in (await target.ask(document, variables=variables)).text


TRACING = {
    "x-apollo-tracing": "1",
    "apollo-federation-include-trace": "ftv1",
    "x-hasura-role": "admin",
    "x-debug": "1",
    "x-debug-token": "1",
    "debug": "true",
    "x-graphql-trace": "1",
}


async def test_no_header_and_no_parameter_turns_debugging_on(target: Target) -> None:
    body = {"query": "{ program { name } nothing }", "extensions": {"tracing": True, "debug": True}}
    response = await target.send(json=body, headers=TRACING, params={"debug": "1", "trace": "1"})
    assert set(response.json()) == {"errors"}
    body["query"] = "{ program { name } }"
    response = await target.send(json=body, headers=TRACING, params={"debug": "1", "trace": "1"})
    assert response.json() == {"data": {"program": {"name": "茶语会员"}}}


# How engines are told apart: the answers must be plain refusals, whatever the engine.
FINGERPRINTS = (
    "",
    " ",
    "aaa",
    "queryy { __typename }",
    "qwerty cop { abc }",
    "query @skip { __typename }",
    "query @deprecated { __typename }",
    "query @cached { __typename }",
    "query { __typename @deprecated }",
    "query { __typename { }",
    "query { alias^: __typename }",
    "query { alias1$1: __typename }",
    "query ! { __typename }",
    "query aa#aa { __typename }",
    "query @aaa@aaa { __typename }",
    "{ __schema }",
    "subscription { __typename }",
    "{ _service { sdl } _entities(representations: []) { __typename } }",
    "extend type Query { a: Int }",
    "type Query { a: Int }",
)


@pytest.mark.parametrize("document", FINGERPRINTS)
async def test_what_is_no_operation_is_a_plain_refusal(target: Target, document: str) -> None:
    response = await target.ask(document)
    assert response.status_code in {400, 405}
    assert "data" not in response.json()


BATCHES: tuple[Any, ...] = (
    [{"query": "{ __typename }"}] * 10,
    [{"query": "{ __typename }"}],
    [],
    [[{"query": "{ __typename }"}]],
    {"0": {"query": "{ __typename }"}},
    {"query": ["{ __typename }", "{ __typename }"]},
    {"operations": [{"query": "{ __typename }"}]},
)


@pytest.mark.parametrize("body", BATCHES)
async def test_batches_are_refused(target: Target, body: Any) -> None:
    response = await target.send(json=body)
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


async def test_several_operations_run_none_unless_one_is_chosen(target: Target) -> None:
    document = f"query A {{ __typename }} {SIGN_OUT.replace('mutation', 'mutation B')}"
    assert await target.code(document, by="member") == "OPERATION_RESOLUTION_FAILURE"
    assert await target.code(document, by="member", operationName="C") is not None


PAGES = (
    "/",
    "/graphiql",
    "/playground",
    "/altair",
    "/voyager",
    "/console",
    "/explorer",
    "/graphql/console",
    "/graphql/playground",
    "/api/graphql",
    "/v1/graphql",
    "/gql",
    "/___graphql",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/metrics",
    "/debug",
    "/admin",
    "/.env",
    "/.git/config",
    "/static/graphiql/graphiql.min.js",
    "/static/../../../etc/passwd",
    "/static/%2e%2e/%2e%2e/etc/passwd",
    "/var/keys.json",
    "/server-status",
    "/actuator/env",
)


@pytest.mark.parametrize("path", PAGES)
async def test_no_tool_and_no_file_is_served(target: Target, path: str) -> None:
    response = await target.send(method="GET", path=path, headers={"accept": "text/html,*/*"})
    assert response.status_code in {401, 404}
    assert response.headers["content-type"].startswith("application/json")


async def test_the_endpoint_is_no_tool_either(target: Target) -> None:
    response = await target.send(method="GET", headers={"accept": "text/html,*/*"})
    assert response.status_code in {400, 405}
    assert "<" not in response.text


async def test_errors_beyond_the_fifth_are_not_told(target: Target) -> None:
    document = f"{{ {' '.join(f'a{n}' for n in range(25))} }}"
    response = await target.ask(document)
    assert len(response.json()["errors"]) <= 5


INJECTIONS = (
    "' OR '1'='1",
    "1; DROP TABLE member; --",
    '" UNION ALL VALUES (1) --',
    "$1",
    '{"$gt": ""}',
    "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "`id`; $(id) | cat /etc/passwd",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    "%s%s%s%n",
    "\r\nset-cookie: a=b",
    "*)(uid=*))(|(uid=*",
    "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "__proto__",
    "\u202egpj.exe",
)
EVERYWHERE: dict[str, Callable[[str], tuple[str, Any]]] = {
    "node": lambda text: ("query($v: ID!) { node(id: $v) { id } }", text),
    "sign-in": lambda text: (
        "mutation($v: SignInWithWeChatInput!) { signInWithWeChat(input: $v)"
        " { session { accessToken } userErrors { code } } }",
        {"appId": text, "code": text},
    ),
    "refresh": lambda text: (
        "mutation($v: RefreshSessionInput!) { refreshSession(input: $v)"
        " { session { accessToken } userErrors { code } } }",
        {"refreshToken": text},
    ),
}


@pytest.mark.parametrize("where", EVERYWHERE)
async def test_injected_texts_are_texts(target: Target, where: str) -> None:
    """Answered, byte for byte but the request's id, like any other text that means nothing."""

    async def answered(text: str) -> Any:
        document, variables = EVERYWHERE[where](text)
        body = (await target.ask(document, variables={"v": variables})).json()
        for error in body.get("errors", []):
            error["extensions"].pop("requestId")
        return body

    harmless = await answered("nothing")
    before = await everything_kept()
    for text in INJECTIONS:
        assert await answered(text) == harmless, text
    assert await everything_kept() == before


async def test_a_shop_cannot_name_a_member_by_an_injected_text(target: Target) -> None:
    document = (
        "mutation($v: RecordPurchasesInput!) { recordPurchases(input: $v)"
        " { batch { receipts { status code } } userErrors { code } } }"
    )
    orders = [
        {
            "externalId": f"o-{number}",
            "member": {"externalRef": text},
            "placedAt": "2026-03-01T11:00:00Z",
            "paid": 100,
            "lines": [{"lineId": "1", "productCode": text, "quantity": 1, "amount": 100}],
        }
        for number, text in enumerate(INJECTIONS)
    ]
    batch = {"batchId": str(uuid4()), "orders": orders}
    body = (await target.ask(document, by="shop", variables={"v": batch})).json()
    receipts = body["data"]["recordPurchases"]["batch"]["receipts"]
    assert len(receipts) == len(INJECTIONS)
    assert {receipt["status"] for receipt in receipts} == {"REJECTED"}
    assert {receipt["code"] for receipt in receipts} <= {"MEMBER_NOT_FOUND", "TEXT_INVALID"}


async def test_guessing_by_aliases_is_counted_by_the_guess(target: Target) -> None:
    """Thirty guesses in one document are thirty guesses: the bucket holds twenty."""
    guess = 'signInWithWeChat(input: { appId: "wx0", code: "%d" }) { userErrors { code } }'
    guesses = " ".join(f"g{n}: {guess % n}" for n in range(30))
    counted = 0
    for _ in range(3):
        body = (await target.ask(f"mutation {{ {guesses} }}")).json()
        counted += sum(one is not None for one in body["data"].values())
        codes = {error["extensions"]["code"] for error in body.get("errors", [])}
        assert codes <= {"RATE_LIMITED"}
    assert counted <= 20


async def test_ids_of_another_type_and_of_nobody_tell_nothing(target: Target) -> None:
    nobody = str(uuid4())
    for type_name in ("Member", "Coupon", "LedgerEntry", "Purchase", "Product", "Query", "Staff"):
        for key in (nobody, f"{nobody}:1", f"{nobody}:{nobody}", "1", "*", "%", nobody.upper()):
            text = global_id(type_name, key)
            body = (
                await target.ask("query($v: ID!) { node(id: $v) { id } }", variables={"v": text})
            ).json()
            if "errors" in body:
                assert body["errors"][0]["extensions"]["code"] == "BAD_ID"
            else:
                assert body == {"data": {"node": None}}


async def test_zero_findings(target: Target, tally: Callable[[str, int, int], None]) -> None:
    """Of the whole module: each test asserts its own."""
    tally("security probes of GraphQL, 0 findings", target.probes, 280)
    assert target.findings == []
