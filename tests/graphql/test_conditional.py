"""GET of the home page: what an unchanged one costs, what changes nothing, what has no ETag."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from api.runtime import Runtime
from domain import storage
from domain.revisions import Revision, revision
from tests.api.documents import persisted, sha256
from tests.closing import ClosingReport
from tests.graphql.alice import a_life
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import order, record

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOME = operation("Home")
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


@pytest.mark.parametrize("depth", [64, 65, 300, 1_000])
async def test_variables_that_nest_deep_are_no_fault_of_ours(gateway: Gateway, depth: int) -> None:
    """The tag is made of JSON that is written again, which may nest less deep than what is read."""
    text = "query Q { program { name } }"
    await make_known(gateway, text)
    response = await gateway.http.get(
        "/graphql",
        params={
            "documentId": f"sha256:{sha256(text)}",
            "variables": '{"x":' + "[" * (depth - 1) + "]" * (depth - 1) + "}",
        },
    )
    assert response.status_code == (200 if depth == 64 else 400), response.text
    if depth > 64:
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


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
