"""What staff does is in the audit log, or it is not done: on both databases, through a schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain import audit
from domain.access import Account, Caller, CallerKind, StaffRole
from domain.errors import MemberNotFound
from domain.paging import PageRequest
from domain.storage import execute, fetch_all
from resolvers.context import RequestContext
from resolvers.rates import Unlimited
from schema.audits import audited
from schema.building import JifenSchema, make_schema
from schema.fields import Info, computed, input_type, object_type
from schema.inspection import staff_fields_unaudited
from schema.mutations import Payload, mutation
from schema.policies import OWNER, PUBLIC, SEES_MEMBERS, staff
from schema.root import build_schema

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LI = Account(
    id=UUID(int=7),
    kind=CallerKind.STAFF,
    code="li.na",
    name="李娜",
    grants=frozenset({"support"}),
    created_at=NOW,
)


@input_type()
class PourInput:
    """How to pour."""

    into: str
    """A level stands in for a cup."""


@object_type(policy=PUBLIC)
class PourPayload(Payload):
    """What pouring led to."""

    poured: bool = False
    """Whether it was done."""


async def pour(info: Info, into: str) -> PourPayload:
    """Write something, and tell the log unless it is to be forgotten."""
    await execute(
        "INSERT INTO level (code, rank, name_zh, name_en, threshold) VALUES ($1, 0, 'x', 'x', 0)",
        into,
    )
    if into != "forgotten":
        audit.record(info.context.actor(), "tea.pour", now=NOW)
    if into == "refused":
        raise MemberNotFound
    return PourPayload(poured=True)


@mutation(staff(StaffRole.SUPPORT))
async def pour_tea(info: Info, input: PourInput) -> PourPayload:
    """For staff."""
    return await pour(info, input.into)


@mutation(OWNER | staff(StaffRole.SUPPORT))
async def pour_water(info: Info, input: PourInput) -> PourPayload:
    """For members too, of whom the log need not tell."""
    return await pour(info, input.into)


@object_type()
class Mutation:
    """What can be changed."""

    pour_tea = pour_tea
    pour_water = pour_water


@object_type(policy=PUBLIC)
class Query:
    """What can be read."""

    @audited(SEES_MEMBERS)
    async def look(self, info: Info, tell: bool) -> str | None:
        """Look at somebody."""
        if tell:
            audit.record(info.context.actor(), "member.read", now=NOW)
        return "secret"

    @computed(SEES_MEMBERS)
    def glance(self) -> str:
        """Look without being told of."""
        return "nothing"


SCHEMA: JifenSchema = make_schema(query=Query, mutation=Mutation)


async def ask(query: str, kind: CallerKind = CallerKind.STAFF) -> Any:
    caller = Caller(
        kind=kind,
        subject=LI.id,
        scopes=frozenset(),
        roles=frozenset({"support"}),
        session_id=None,
        issued_at=NOW,
        expires_at=NOW,
    )
    context = RequestContext(
        caller=caller,
        now=NOW,
        language="en",
        request_id="r-1",
        services=cast("Any", SimpleNamespace(rates=Unlimited())),
        principal=LI,
    )
    return await SCHEMA.execute(query, context_value=context)


async def kept() -> tuple[list[str], list[str]]:
    """The levels that were written, and what the log tells."""
    levels = [row["code"] for row in await fetch_all("SELECT code FROM level ORDER BY code")]
    entries = (await audit.entries(PageRequest(first=100))).items
    return levels, [f"{entry.actor} {entry.action} {entry.request_id}" for entry in entries]


@contextmanager
def one_fault_logged() -> Iterator[None]:
    with capture_logs() as lines:
        yield
    assert [line["event"] for line in lines] == ["internal_error"]


@pytest.mark.usefixtures("database")
async def test_what_is_recorded_is_done() -> None:
    answer = await ask('mutation { pourTea(input: { into: "cup" }) { poured } }')
    assert (answer.errors, answer.data) == (None, {"pourTea": {"poured": True}})
    assert await kept() == (["cup"], ["staff:li.na tea.pour r-1"])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["pourTea", "pourWater"])
async def test_what_is_not_recorded_is_not_done(name: str) -> None:
    with one_fault_logged():
        answer = await ask(f'mutation {{ {name}(input: {{ into: "forgotten" }}) {{ poured }} }}')
    assert answer.data == {name: None}
    assert [error.extensions["code"] for error in answer.errors] == ["INTERNAL"]
    assert await kept() == ([], [])


@pytest.mark.usefixtures("database")
async def test_what_is_refused_leaves_no_trace_and_is_answered() -> None:
    query = 'mutation { pourTea(input: { into: "refused" }) { poured userErrors { code } } }'
    answer = await ask(query)
    assert answer.errors is None
    assert answer.data == {
        "pourTea": {"poured": False, "userErrors": [{"code": "MEMBER_NOT_FOUND"}]}
    }
    assert await kept() == ([], [])


@pytest.mark.usefixtures("database")
async def test_of_a_member_the_log_need_not_tell() -> None:
    query = 'mutation { pourWater(input: { into: "forgotten" }) { poured } }'
    answer = await ask(query, CallerKind.MEMBER)
    assert (answer.errors, answer.data) == (None, {"pourWater": {"poured": True}})
    assert await kept() == (["forgotten"], [])


@pytest.mark.usefixtures("database")
async def test_a_look_that_is_not_recorded_is_not_answered() -> None:
    assert (await ask("{ look(tell: true) }")).data == {"look": "secret"}
    with one_fault_logged():
        answer = await ask("{ glance look(tell: false) }")
    assert answer.data == {"glance": "nothing", "look": None}
    assert "secret" not in str(answer)
    assert await kept() == ([], ["staff:li.na member.read r-1"])


def test_the_walk_names_what_is_not_audited() -> None:
    assert staff_fields_unaudited(SCHEMA, "Query") == ["Query.glance"]
    assert staff_fields_unaudited(SCHEMA, "Mutation") == []


def test_every_mutation_of_staff_is_audited() -> None:
    assert staff_fields_unaudited(build_schema(), "Mutation") == []


NO_PERSONS = {
    *("Staff.gameCampaigns", "Staff.partner", "Staff.partners"),
    *("Staff.login", "Staff.name", "Staff.roles", "Staff.auditLog", "Staff.ledgerAudit"),
    *("Staff.levels", "Staff.levelRules", "Staff.programme", "Staff.programmeFile"),
    *("Staff.earningRules", "Staff.earningRuleHistory", "Staff.feedbackCauses"),
    *("Staff.feedbackTopicDefinitions", "Staff.feedbackCauseDefinitions"),
    *("Staff.notificationTexts", "Staff.notificationTextHistory", "Staff.serviceTerms"),
    "Staff.recommendationModels",
}
"""What staff reads of itself, the log itself, and what the programme is. The audit of the ledger,
which no one transaction could hold, records itself at its end, and each account that it freezes."""


def test_everything_that_staff_reads_of_others_is_audited() -> None:
    assert set(staff_fields_unaudited(build_schema(), "Staff")) == NO_PERSONS
