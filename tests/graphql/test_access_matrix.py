"""Every field of every type, asked by every caller of the application: who is answered, who not.

The fields are found in the schema and not listed here, so a new one is asked by itself. Those that
a caller may not read are asked one by one, each alone in its document, with the ids of member A.
Those that a caller may read are asked together. All that anybody but A is told is searched for what
belongs to A. Access does not depend on the database, so one suffices.
"""

from __future__ import annotations

import re
import sqlite3
from base64 import urlsafe_b64encode as b64encode
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from graphql import build_schema as build_graphql

from api.fake_wechat import RunningFake
from domain import ledger
from domain.access import CallerKind, StaffRole
from domain.storage import observed_statements
from schema.ledger import LedgerEntry
from schema.requirements import Requirement
from schema.root import build_schema
from tests.closing import ClosingReport
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import (
    NOW,
    global_id,
    open_gateway,
    plain_id,
    settings_for,
    without_limits,
)
from tests.graphql.kept import everything_kept
from tests.graphql.matrix.crowd import EMPTY, Crowd, Somebody, gather
from tests.graphql.matrix.driver import Answer, ask
from tests.graphql.matrix.places import Place, Walk, Writer, all_fields, values_at
from tests.graphql.programme import set_up_programme
from tests.servers import SqliteDatabases

on_the_modules_loop = pytest.mark.asyncio(loop_scope="module")

WALK = Walk(build_schema()._schema)
TOGETHER = 50
"""How many places one document asks for, within the limits on documents."""

EVERY = 4
"""One of so many pairs of a field and a caller who may not read it is asked in the short form."""

NOBODY = "01977c1e-0000-7000-8000-000000000000"
PUBLIC_NODES = {"Product"}
"""What everybody may fetch by its id. All other nodes are somebody's."""

SEES_MEMBERS = {f"staff {role}" for role in StaffRole} - {f"staff {StaffRole.ADMIN}"}

# What a caller other than A may be told of A, and why; everybody else nothing.
MAY_BE_TOLD = {
    # Staff look A up: the nickname, the references of orders in the journal.
    **{name: {"mark", "id", "global id"} for name in SEES_MEMBERS},
    # A shop names A in its orders, and is told the ids of what became of them.
    "shop": {"id", "global id"},
}

# By what others may change what is A's, as they are meant to: asked after all else.
MAY_CHANGE = {
    "Mutation.addMemberNote",
    "Mutation.adjustPoints",
    "Mutation.holdPoints",
    "Mutation.recordPurchases",
    "Mutation.setServiceContacts",
    "Mutation.transferPoints",
}


@dataclass(slots=True)
class Matrix:
    """The callers, the ids of what is A's, and how much was asked and searched."""

    crowd: Crowd
    writer: Writer
    ids: dict[str, str]
    asked: int = 0
    searched: int = 0

    async def ask(self, somebody: Somebody, document: str, *, token: str | None = "") -> Answer:
        """Ask; whatever somebody else than A is told is searched for what is A's."""
        answer = await ask(
            self.crowd.gateway.app,
            document,
            token=somebody.token if token == "" else token,
            address=somebody.address,
        )
        if somebody.name != "member A":
            told = answer.told()
            allowed = MAY_BE_TOLD.get(somebody.name, set())
            for name, secret in self.crowd.a.secrets().items():
                if name not in allowed:
                    assert secret not in told, (somebody.name, name, document, answer.content)
            self.searched += 1
        return answer

    async def is_refused(self, somebody: Somebody, place: Place, expected: str) -> None:
        """Ask for one place, which is refused with the expected code, before anything runs."""
        document = self.writer.document([place], node=self.ids.get(place.node_type or "", ""))
        answer = await self.ask(somebody, document)
        assert answer.code() == expected, (somebody.name, document, answer.content)
        if place.operation != "subscription" or somebody.bad:
            assert answer.status == STATUSES[expected]
        if somebody.bad:
            assert answer.body()["errors"][0]["extensions"]["reason"] == somebody.bad
        self.asked += 1

    async def is_answered(self, somebody: Somebody, places: Sequence[Place]) -> Any:
        """Ask for places of one entry together, which is answered; returns the data."""
        node = self.ids.get(places[0].node_type or "", "")
        writer = replace(self.writer, ticket=self.crowd.ticket_for(somebody))
        document = writer.document(places, node=node)
        token = somebody.token
        if places[0].operation == "mutation":
            token = await self.crowd.spare_token(somebody)
        answer = await self.ask(somebody, document, token=token)
        assert answer.code() is None, (somebody.name, document, answer.content)
        assert answer.status == 200
        data = answer.body()["data"]
        root = places[0].steps[0].name
        if root != "node" or places[0].node_type in PUBLIC_NODES or somebody.name == "member A":
            assert data[root] is not None, (somebody.name, document)
        else:
            await self._is_like_missing(somebody, places, answer)
        self.asked += len(places)
        return data

    async def _is_like_missing(
        self, somebody: Somebody, places: Sequence[Place], answer: Answer
    ) -> None:
        """What is A's is answered to others byte for byte like what is not there."""
        node = self.ids[places[0].node_type or "Member"]
        missing = self.writer.document(places, node=of_nobody(node))
        theirs = self.writer.document(places, node=node)
        assert answer.content == (await self.ask(somebody, missing)).content
        statements = []
        for document in (theirs, missing):
            with observed_statements() as sent:
                await self.ask(somebody, document)
            statements.append(sent)
        assert statements[0] == statements[1], somebody.name


STATUSES = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "SIGNATURE_MISSING": 401}


def of_nobody(node: str) -> str:
    """An id like this one, of an object that does not exist and of a member who does not either."""
    plain = plain_id(node)
    other = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", NOBODY, plain)
    assert other != plain
    return global_id(*other.split(":", 1))


def expected_code(somebody: Somebody, place: Place) -> str | None:
    """The code that the caller is refused with; None where the caller is answered."""
    refused = "UNAUTHENTICATED" if somebody.bad or somebody.caller is None else "FORBIDDEN"
    admitted = all(policy.admits(somebody.caller) for policy in WALK.policies(place))
    if not admitted or somebody.bad:
        return refused
    caller = somebody.caller
    is_partner = caller is not None and caller.kind is CallerKind.PARTNER
    return "SIGNATURE_MISSING" if is_partner and place.operation == "mutation" else None


def answered(somebody: Somebody, operations: set[str]) -> Iterator[list[Place]]:
    """The places that the caller is answered, in groups that one document can ask for."""
    by_entry: dict[str, list[Place]] = defaultdict(list)
    for place in WALK.places:
        if place.operation in operations and expected_code(somebody, place) is None:
            by_entry[place.entry].append(place)
    for places in by_entry.values():
        for start in range(0, len(places), TOGETHER):
            yield places[start : start + TOGETHER]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(
    tmp_path_factory: pytest.TempPathFactory,
    _sqlite_databases: SqliteDatabases,
    _serving_fake: tuple[RunningFake, MovableClock],
    report: ClosingReport,
) -> AsyncIterator[Matrix]:
    report.parts["sqlite"] = f"{sqlite3.sqlite_version}, the library of this Python"
    fake, _ = _serving_fake
    fake.state.reset()
    url = _sqlite_databases.fresh(tmp_path_factory.mktemp("matrix"))
    settings = settings_for(url, tmp_path_factory.mktemp("keys"), fake)
    async with open_gateway(without_limits(settings), fake) as gateway:
        await set_up_programme(now=NOW)
        crowd = await gather(gateway)
        a = crowd.a
        writer = Writer(WALK, member=a.session.member_id, order=a.order, ticket=a.ticket)
        made = Matrix(crowd=crowd, writer=writer, ids={"Member": crowd.a.session.member_id})
        made.ids |= await ids_of_nodes(made)
        yield made


async def ids_of_nodes(matrix: Matrix) -> dict[str, str]:
    """The id of one object of each node type, as A's own answers tell them."""
    ids: dict[str, str] = {}
    somebody = matrix.crowd.callers["member A"]
    for places in answered(somebody, {"query"}):
        if places[0].entry != "Query.me":
            continue
        answer = await matrix.ask(somebody, matrix.writer.document(places))
        assert answer.code() is None, answer.content
        data = answer.body()["data"]
        for place in places:
            for value in values_at(data, place.steps):
                if place.coordinate.endswith(".id") and isinstance(value, str):
                    ids.setdefault(place.coordinate.removesuffix(".id"), value)
    # An export is told by the mutation alone; the key that was used before gives it again.
    asked = {"idempotencyKey": "export"}
    told = await matrix.crowd.gateway.send("ExportMyData", somebody.token, input=asked)
    return ids | {"DataExport": told["export"]["id"]}


@on_the_modules_loop
async def test_every_field_has_a_place(matrix: Matrix) -> None:
    assert WALK.unreached() == set()
    entered = {place.node_type for place in WALK.places} - {None}
    assert entered <= matrix.ids.keys(), "A has an object of every node type"


@on_the_modules_loop
@pytest.mark.parametrize(
    "every", [EVERY, pytest.param(1, marks=pytest.mark.faults)], ids=["a part", "all"]
)
async def test_whoever_may_not_read_a_field_is_refused(
    matrix: Matrix, tally: Callable[[str, int, int], None], every: int
) -> None:
    """All pairs of a field and a caller take half a minute: a part of them asks each field of some.

    The part is shifted from field to field, so that each caller is refused each kind of thing.
    """
    before = await everything_kept()
    matrix.asked = matrix.searched = 0
    for field, place in enumerate(WALK.places):
        for caller, somebody in enumerate(matrix.crowd):
            expected = expected_code(somebody, place)
            if expected is not None and (field + caller) % every == 0:
                await matrix.is_refused(somebody, place, expected)
    assert await everything_kept() == before
    of = "all" if every == 1 else f"one of {every}"
    tally(f"access matrix: fields refused, {of}, each alone", matrix.asked, 18_000 // every)
    tally(
        f"access matrix: refusals searched for what is another's, {of}, 0 leaks",
        *(matrix.searched, 17_000 // every),
    )


@on_the_modules_loop
async def test_a_has_something_in_every_field_that_others_are_searched_for(matrix: Matrix) -> None:
    """Or the search would prove nothing. A new field of a member needs a value in A's life."""
    filled = set[str]()
    places_of_a = [
        places
        for places in answered(matrix.crowd.callers["member A"], {"query"})
        if places[0].entry in {"Query.me", "Query.program"}
    ]
    for places in places_of_a:
        data = await matrix.is_answered(matrix.crowd.callers["member A"], places)
        for place in places:
            if any(value is not None for value in values_at(data, place.steps)):
                filled.add(place.coordinate)
    asked = {place.coordinate for places in places_of_a for place in places}
    assert asked - filled == EMPTY


@on_the_modules_loop
async def test_whoever_may_read_a_field_is_answered_and_told_nothing_of_others(
    matrix: Matrix, tally: Callable[[str, int, int], None]
) -> None:
    matrix.asked = matrix.searched = 0
    mine = str(matrix.crowd.a.id)

    async def of_a() -> dict[str, list[str]]:
        """The rows that name A, but for what tells who looked, and how far an audit came."""
        return {
            table: [row for row in rows if mine in row]
            for table, rows in (await everything_kept()).items()
            if table not in {"audit_entry", "points_audited"}
        }

    before = await of_a()
    everything = {"query", "mutation", "subscription"}
    for somebody in matrix.crowd:
        if somebody.name != "member A":
            for places in answered(somebody, everything):
                if places[0].entry not in MAY_CHANGE:
                    await matrix.is_answered(somebody, places)
    assert await of_a() == before
    for somebody in matrix.crowd:
        for places in answered(somebody, everything):
            if somebody.name == "member A" or places[0].entry in MAY_CHANGE:
                await matrix.is_answered(somebody, places)
    tally("access matrix: fields answered", matrix.asked, 1_200)
    tally("access matrix: answers searched for what is another's, 0 leaks", matrix.searched, 200)


@on_the_modules_loop
async def test_the_matrix_is_whole(matrix: Matrix, tally: Callable[[str, int, int], None]) -> None:
    """Each pair of a field and a caller is in one of the tests above, which ask all places."""
    pairs = {
        (place.coordinate, somebody.name) for place in WALK.places for somebody in matrix.crowd
    }
    fields, callers = len(all_fields(WALK.schema)), len(matrix.crowd.callers)
    assert len(pairs) == fields * callers
    tally("access matrix: fields x callers", len(pairs), 2_900)


# Planted bugs: what the matrix is there to find.


def places_of(entry: str) -> list[Place]:
    return [place for place in WALK.places if place.entry == entry][:TOGETHER]


@on_the_modules_loop
async def test_an_entry_that_gives_what_is_anothers_is_found(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def anybodys(context: Any, key: tuple[Any, int]) -> Any:
        return await ledger.entry(key[0], seq=key[1])

    source = LedgerEntry.__node__  # type: ignore[attr-defined]  # set by node_type
    monkeypatch.setattr(LedgerEntry, "__node__", replace(source, load=anybodys))
    for name in ("member B", "staff support"):
        with pytest.raises(AssertionError):
            await matrix.is_answered(
                matrix.crowd.callers[name], places_of("Query.node as LedgerEntry")
            )


@on_the_modules_loop
async def test_an_entry_that_asks_the_database_for_what_is_anothers_is_found(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers null all the same, and takes longer over what is there."""

    async def hesitant(context: Any, key: tuple[Any, int]) -> None:
        if await ledger.entry(key[0], seq=key[1]) is not None:
            await ledger.entry(key[0], seq=key[1])

    source = LedgerEntry.__node__  # type: ignore[attr-defined]  # set by node_type
    monkeypatch.setattr(LedgerEntry, "__node__", replace(source, load=hesitant))
    with pytest.raises(AssertionError, match="member B"):
        await matrix.is_answered(
            matrix.crowd.callers["member B"], places_of("Query.node as LedgerEntry")
        )


@on_the_modules_loop
async def test_a_field_that_lets_in_whom_it_should_not_is_found(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Requirement, "check", lambda *_: None)
    [place] = [one for one in places_of("Query.staff") if one.coordinate == "Staff.auditLog"]
    for name in ("member B", "staff support"):
        with pytest.raises(AssertionError):
            await matrix.is_refused(matrix.crowd.callers[name], place, "FORBIDDEN")


@on_the_modules_loop
async def test_a_secret_is_found_wherever_it_is_told(matrix: Matrix) -> None:
    secrets = matrix.crowd.a.secrets()
    inside = b64encode(b"Purchase:" + secrets["id"] + b":1").rstrip(b"=")
    for told in (
        Answer(200, (), b'{"a":"' + secrets["mark"] + b'"}'),
        Answer(200, ((b"x-debug", secrets["openid"]),), b"{}"),
        Answer(200, (), b'{"id":"' + inside + b'"}'),
    ):
        assert any(secret in told.told() for secret in secrets.values())
    assert not any(secret in Answer(200, (), b"{}").told() for secret in secrets.values())


def test_a_field_that_no_operation_can_reach_is_found() -> None:
    schema = build_graphql("type Query { a: Int } type Orphan { b: Int }")
    assert Walk(schema).unreached() == {"Orphan.b"}
