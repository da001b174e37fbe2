"""Access over HTTP: who gets what, decided once per document, before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from domain.access import CallerKind
from tests.api.gateway import Gateway
from tests.schema.sample import MEMBER_B, WRITTEN

CALLERS: dict[str, dict[str, Any]] = {
    "member": {"kind": CallerKind.MEMBER},
    "shop": {"kind": CallerKind.SHOP, "scopes": frozenset({"purchases:write"})},
    "unscoped shop": {"kind": CallerKind.SHOP},
    "partner": {"kind": CallerKind.PARTNER, "scopes": frozenset({"rewards:write"})},
    "support": {"kind": CallerKind.STAFF, "roles": frozenset({"support"})},
    "auditor": {"kind": CallerKind.STAFF, "roles": frozenset({"auditor"})},
}
QUERIES = {
    "{ping}": {"anonymous", *CALLERS},
    "{me{phone}}": {"member"},
    "{partner{name}}": {"shop"},
    "{staff{motto}}": {"support"},
    "{me{phone} staff{motto}}": set[str](),
    "{things{name}}": {"anonymous", *CALLERS},
    "{things{...on ClosedThing{label}}}": {"support"},
    '{node(id:"Tm90ZTowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDE"){id}}': {
        "anonymous",
        *CALLERS,
    },
    'mutation{writeNote(input:{text:"x"}){userErrors{code}}}': {"member"},
    "mutation{knock{userErrors{code}}}": {"anonymous", *CALLERS},
}


@pytest.mark.parametrize("name", ["anonymous", *CALLERS])
@pytest.mark.parametrize("query", list(QUERIES))
async def test_every_caller_gets_exactly_what_is_theirs(
    gateway: Gateway, query: str, name: str
) -> None:
    headers = {} if name == "anonymous" else gateway.token(**CALLERS[name])
    written = len(WRITTEN)
    for _ in range(2):  # the second time from the document that is kept
        answer = (await gateway.post(query, headers=headers)).json()
        if name in QUERIES[query]:
            assert "errors" not in answer
            continue
        (error,) = answer["errors"]
        assert "data" not in answer
        assert error["extensions"]["code"] == (
            "UNAUTHENTICATED" if name == "anonymous" else "FORBIDDEN"
        )
        assert len(WRITTEN) == written


async def test_a_refusal_names_the_field_and_what_it_needs(gateway: Gateway) -> None:
    answer = (await gateway.post("{ping staff{motto}}", headers=gateway.token())).json()
    (error,) = answer["errors"]
    assert error["message"] == "Query.staff needs the staff role admin or support."
    assert error["locations"] == [{"line": 1, "column": 7}]


async def test_only_the_chosen_operation_counts(gateway: Gateway) -> None:
    query = "query Mine{me{phone}} query Theirs{staff{motto}}"
    data = await gateway.data(query, headers=gateway.token(), operationName="Mine")
    assert data == {"me": {"phone": "+86138****8000"}}
    code = await gateway.code(query, headers=gateway.token(), operationName="Theirs")
    assert code == "FORBIDDEN"


async def test_a_forbidden_mutation_changes_nothing_though_others_of_the_document_may(
    gateway: Gateway,
) -> None:
    written = len(WRITTEN)
    query = 'mutation{knock{userErrors{code}} writeNote(input:{text:"x"}){userErrors{code}}}'
    assert await gateway.code(query) == "UNAUTHENTICATED"
    assert len(WRITTEN) == written


async def test_a_resolver_may_ask_for_a_caller_by_itself(gateway: Gateway) -> None:
    staff = gateway.token(**CALLERS["support"])
    for headers, code in (({}, "UNAUTHENTICATED"), (staff, "FORBIDDEN")):
        answer = (await gateway.post("{ping needsMember}", headers=headers)).json()
        assert answer["data"] == {"ping": "pong", "needsMember": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await gateway.data("{needsMember}", headers=gateway.token(subject=MEMBER_B)) == {
        "needsMember": str(MEMBER_B)
    }


# What production shows to whom


async def test_production_withholds_the_schema_from_anonymous_callers(production: Gateway) -> None:
    for query in ("{__schema{types{name}}}", '{ping __type(name:"Me"){name}}'):
        for _ in range(2):
            answer = (await production.post(query)).json()
            assert "data" not in answer
            assert [error["extensions"]["code"] for error in answer["errors"]] == [
                "INTROSPECTION_DISABLED"
            ]
        data = await production.data(query, headers=production.token())
        assert data.get("__schema") or data.get("__type")
    assert await production.data("{__typename}") == {"__typename": "Query"}


SUGGESTED = {
    "{pin}": "Cannot query field 'pin' on type 'Query'.",
    "{echo(gven:{}){text}}": "Unknown argument 'gven' on field 'Query.echo'.",
    "{things{...on OpenThin{name}}}": "Unknown type 'OpenThin'.",
    "{echo(given:{txt:1}){text}}": "Expected value of type 'EchoInput' not to include",
    "query($v:EchoInput!){echo(given:$v){text}}": "Variable '$v' has invalid value",
}


@pytest.mark.parametrize("query", list(SUGGESTED))
async def test_production_withholds_suggestions_from_anonymous_callers(
    production: Gateway, gateway: Gateway, query: str
) -> None:
    async def message(where: Gateway, headers: dict[str, str]) -> str:
        answer = (await where.post(query, {"v": {"txt": 1}}, headers=headers)).json()
        text: str = answer["errors"][0]["message"]
        return text

    withheld = await message(production, {})
    assert withheld.startswith(SUGGESTED[query])
    assert "Did you mean" not in withheld
    for offered in (await message(production, production.token()), await message(gateway, {})):
        assert offered.startswith(SUGGESTED[query])
        assert "Did you mean" in offered
