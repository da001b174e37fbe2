"""GET of the home page: what an unchanged one costs, what changes nothing, what has no ETag."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
from graphql import GraphQLInterfaceType, GraphQLObjectType

from api.runtime import Runtime
from domain import storage
from domain.revisions import Revision, revision
from schema.requirements import is_versioned
from schema.root import build_schema
from tests.api.documents import persisted, sha256
from tests.closing import ClosingReport
from tests.graphql import conftest
from tests.graphql.alice import a_life
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import order, record

gateway = conftest.own_gateway

HOME = operation("Home")
UNCOVERED = {"Member.changes"}
"""Below `me`, `node` and `program`: its answer ends with events that were deleted meanwhile."""
RENAME = "mutation($n:String!){updateProfile(input:{nickname:$n}){userErrors{code}}}"


async def get(
    gateway: Gateway, session: Session | None, text: str = HOME, **how: Any
) -> httpx.Response:
    """A GET of the document by its hash, with further headers."""
    headers = {name.replace("_", "-"): value for name, value in how.items()}
    if session is not None:
        headers["authorization"] = f"Bearer {session.access_token}"
    parameters = {"documentId": f"sha256:{sha256(text)}"}
    return await gateway.http.get("/graphql", params=parameters, headers=headers)


async def make_known(gateway: Gateway, *texts: str) -> None:
    """Send the documents once with their hash."""
    for text in texts:
        body = {"query": text, "extensions": persisted(text)}
        await gateway.http.post("/graphql", json=body)


async def test_an_unchanged_home_page_costs_two_statements(
    gateway: Gateway, report: ClosingReport
) -> None:
    alice = await a_life(gateway)
    await make_known(gateway, HOME)
    with storage.observed_statements() as statements:
        first = await get(gateway, alice)
    assert len(statements) == 9, "those of the page, and the revision"
    tag = first.headers["etag"]
    with storage.observed_statements() as statements:
        again = await get(gateway, alice, if_none_match=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert len(statements) == 2, "the session, and the revision"

    async def best_s(**how: Any) -> float:
        taken = []
        for _ in range(8):
            began_at = time.perf_counter()
            await get(gateway, alice, **how)
            taken.append(time.perf_counter() - began_at)
        return min(taken)

    whole_s, unchanged_s = await best_s(), await best_s(if_none_match=tag)
    report.notes.append(
        f"home by GET on {storage.dialect()}: unchanged {unchanged_s * 1_000:.1f} ms and 2"
        f" statements, whole {whole_s * 1_000:.1f} ms and 9"
    )


async def test_the_tag_changes_with_each_of_these(gateway: Gateway) -> None:
    alice, bob = await a_life(gateway), await gateway.sign_in("o-bob")
    await make_known(gateway, HOME)
    tags = [(await get(gateway, alice)).headers["etag"]]
    assert (await get(gateway, alice)).headers["etag"] == tags[0]
    for who, how in ((alice, {"accept_language": "en"}), (bob, {})):
        tags.append((await get(gateway, who, **how)).headers["etag"])
    await gateway.send("UpdateProfile", alice.access_token, input={"nickname": "小红"})
    tags.append((await get(gateway, alice)).headers["etag"])
    assert len(set(tags)) == len(tags)
    public = "{program{name}}"
    await make_known(gateway, public)
    shop, partner = [
        replace(alice, access_token=token)
        for token in (await gateway.shop(), await gateway.partner())
    ]
    by_caller = [(await get(gateway, who, public)) for who in (None, alice, shop, partner)]
    assert [one.json() for one in by_caller] == [{"data": {"program": {"name": "茶语会员"}}}] * 4
    assert len({one.headers["etag"] for one in by_caller}) == 4
    # What somebody else does changes nothing of hers.
    await gateway.send("UpdateProfile", bob.access_token, input={"nickname": "小红"})
    assert (await get(gateway, alice)).headers["etag"] == tags[-1]


async def test_what_is_written_meanwhile_is_not_hidden(gateway: Gateway) -> None:
    """Writes before the revision is read, when the member was read with the token, and after it:
    such an answer is of two moments, and its tag no longer holds when it is shown.
    """
    alice = await gateway.sign_in()
    await make_known(gateway, HOME)
    runtime: Runtime = gateway.app.state.runtime

    async def write(name: str) -> None:
        await gateway.send("UpdateProfile", alice.access_token, input={"nickname": name})
        await record(gateway, name, [order(name, alice.member_id)])

    async def interrupted(member_id: UUID | None, *, now: datetime) -> Revision:
        if moment == "before":
            await write("before")
        read = await revision(member_id, now=now)
        if moment == "after":
            await write("after")
        return read

    for points, moment in ((88, "before"), (176, "after")):
        gateway.app.state.runtime = replace(runtime, revise=interrupted)
        answered = await get(gateway, alice)
        gateway.app.state.runtime = runtime
        assert answered.json()["data"]["me"]["nickname"] != moment
        assert answered.json()["data"]["me"]["points"]["available"] == points
        shown = await get(gateway, alice, if_none_match=answered.headers["etag"])
        assert shown.status_code == 200
        assert shown.json()["data"]["me"]["nickname"] == moment
        assert shown.headers["etag"] != answered.headers["etag"]


async def test_no_get_changes_anything(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await make_known(gateway, HOME, RENAME)
    before = await everything_kept()
    redis = gateway.app.state.runtime.kept_documents.redis
    keys = sorted(await redis.keys())
    headers = {"authorization": f"Bearer {alice.access_token}"}
    variables = orjson.dumps({"n": "x"}).decode()
    known = orjson.dumps(persisted(RENAME)).decode()
    unknown = "{me{nickname}}"
    for members, status in (
        ({"query": RENAME, "variables": variables}, 405),
        ({"query": "mutation{signOut{userErrors{code}}}"}, 405),
        ({"documentId": sha256(RENAME), "variables": variables}, 405),
        ({"extensions": known, "variables": variables}, 405),
        ({"query": RENAME, "extensions": known, "variables": variables}, 405),
        ({"query": unknown, "extensions": orjson.dumps(persisted(unknown)).decode()}, 200),
        ({"documentId": sha256(HOME)}, 200),
    ):
        response = await gateway.http.get("/graphql", params=members, headers=headers)
        assert response.status_code == status, members
    assert await everything_kept() == before
    assert sorted(await redis.keys()) == keys


async def test_an_answer_with_an_error_has_no_tag(gateway: Gateway) -> None:
    await make_known(gateway, HOME)
    refused = await get(gateway, None)
    assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert "etag" not in refused.headers
    assert refused.headers["cache-control"] == "no-store"


async def test_an_answer_that_tells_its_cost_has_no_tag(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await make_known(gateway, HOME)
    tag = (await get(gateway, alice)).headers["etag"]
    told = await get(gateway, alice, x_jifen_cost="1", if_none_match=tag)
    assert told.status_code == 200
    assert "etag" not in told.headers


async def test_what_no_revision_covers_has_no_tag(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    text = "{me{nickname changes{cursor}}}"
    await make_known(gateway, text)
    response = await get(gateway, alice, text)
    assert "errors" not in response.json()
    assert "etag" not in response.headers


def test_every_other_field_of_a_member_is_covered() -> None:
    """A new field that reads something says whether a revision covers it, or stands here."""
    schema = build_schema()._schema
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    reached = set[str]()
    pending = ["Member", "Program", *(kind.name for kind in schema.get_possible_types(node))]
    uncovered = set[str]()
    while pending:
        kind = schema.type_map[pending.pop()]
        if not isinstance(kind, GraphQLObjectType) or kind.name in reached:
            continue
        reached.add(kind.name)
        for name, declared in kind.fields.items():
            if not is_versioned(declared):
                uncovered.add(f"{kind.name}.{name}")
                continue
            pending.append(str(declared.type).strip("[]!"))
    assert uncovered == UNCOVERED
    assert {"Level", "LedgerEntry", "Product", "Coupon", "RecommendedItem"} <= reached
