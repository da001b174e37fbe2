"""Documents that tools make from the schema, as every kind of caller: no server error for any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis_graphql import from_schema
from schemathesis.checks import not_a_server_error

from tests.closing import ClosingReport
from tests.fuzz.generated import SCALARS, SDL
from tests.fuzz.serving import complaints, serving
from tests.fuzz.verdict import faults
from tests.graphql.operations import operation
from tests.run.running import MakeRun

pytestmark = [pytest.mark.faults, pytest.mark.soak, pytest.mark.timeout(0)]

Tally = Callable[[str, int, int], None]

FULL: Final = 10_000
SHORT: Final = 500
CALLERS: Final = {
    "anonymous": None,
    "member": "memberToken",
    "shop": "shopToken",
    "partner": "partnerToken",
    "staff": "staffToken",
}
FAULTS_SHOWN: Final = 20

for _name, _strategy in SCALARS.items():
    schemathesis.graphql.scalar(_name, _strategy)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    with serving(tmp_path_factory.mktemp("generated"), JIFEN_LOG_LEVEL="warning") as run:
        yield run


class Asked:
    """What was asked as one kind of caller, and what came back."""

    def __init__(self, run: MakeRun, caller: str) -> None:
        self._run = run
        self._caller = caller
        self._token: str | None = None
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the caller, whose session may have ended by one of the documents."""
        if CALLERS[self._caller] is None:
            return {}
        self._token = self._token or self._new_token()
        return {"authorization": f"Bearer {self._token}"}

    def heard(self, status: int, body: bytes, answer: Any, *, document: str) -> None:
        """Judge one answer."""
        self.wrong.extend(faults(status, body, what=f"as {self._caller}: {document}"))
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        if "UNAUTHENTICATED" in codes and self._caller == "member":
            self._token = None
        self.answers[codes[0] if codes else "answered"] += 1

    def _new_token(self) -> str:
        demo = self._run.demo()
        if self._caller != "member":
            token: str = demo[CALLERS[self._caller]]
            return token
        with httpx.Client(trust_env=False) as http:
            person = {"appId": demo["appId"], "openid": "test-generated"}
            login = http.post(f"{demo['fakeWechatUrl']}/_fake/login", json=person)
            given = {"appId": demo["appId"], "code": login.json()["code"]}
            body = {"query": operation("SignInWithWeChat"), "variables": {"input": given}}
            answer = http.post(demo["graphqlUrl"], json=body).json()
        token = answer["data"]["signInWithWeChat"]["session"]["accessToken"]
        return token


def generating(count: int) -> Callable[[Any], Any]:
    """Settings for making so many examples; what fails is judged afterwards, all at once."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("caller", CALLERS)
def test_schemathesis_finds_no_server_error(
    server: MakeRun, caller: str, full_form: bool, tally: Tally, report: ClosingReport
) -> None:
    """Each field of the roots by itself, with the check that every user of the tool runs."""
    schema = schemathesis.graphql.from_file(SDL)
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = Asked(server, caller)
    count = FULL if full_form else SHORT
    for one in operations:

        @generating(-(-count // len(operations)))
        @given(case=one.as_strategy())
        def ask(case: Any) -> None:
            response = case.call(base_url=f"{server.url}/graphql", headers=asked.headers)
            case.validate_response(response, checks=[not_a_server_error])
            asked.heard(response.status_code, response.content, response.json(), document=case.body)

        ask()
    conclude(server, asked, f"schemathesis cases as {caller}", count, tally, report)


@pytest.mark.parametrize("caller", CALLERS)
def test_hypothesis_graphql_finds_no_server_error(
    server: MakeRun, caller: str, full_form: bool, tally: Tally, report: ClosingReport
) -> None:
    """Whole documents, of any fields of a root at once."""
    asked = Asked(server, caller)
    count = FULL if full_form else SHORT
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:

        @generating(count)
        @given(from_schema(SDL, custom_scalars=SCALARS))
        def ask(document: str) -> None:
            response = http.post("/graphql", json={"query": document}, headers=asked.headers)
            asked.heard(response.status_code, response.content, response.json(), document=document)

        ask()
    conclude(server, asked, f"hypothesis-graphql cases as {caller}", count, tally, report)


def conclude(
    server: MakeRun, asked: Asked, what: str, floor: int, tally: Tally, report: ClosingReport
) -> None:
    assert not asked.wrong, f"{len(asked.wrong)} faults:\n" + "\n".join(asked.wrong[:FAULTS_SHOWN])
    assert not complaints(server), complaints(server)[0]
    tally(f"{what}, 0 server errors", asked.answers.total(), floor)
    told = ", ".join(f"{name}: {count}" for name, count in asked.answers.most_common(6))
    report.notes.append(f"{what}: {told}")
