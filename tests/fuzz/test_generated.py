"""Documents that tools make from the schema, as every kind of caller: no server error for any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from schema.faults import FAULTS
from tests.closing import ClosingReport
from tests.fuzz.generated import SCALARS, SDL, generated_documents, plausible
from tests.fuzz.serving import complaints, serving
from tests.fuzz.verdict import faults
from tests.graphql.operations import operation
from tests.run.running import MakeRun

pytestmark = [pytest.mark.faults, pytest.mark.soak, pytest.mark.timeout(0)]

Tally = Callable[[str, int, int], None]

FULL: Final = 10_000
SHORT: Final = 500
CALLERS: Final = {
    "anonymous": "",
    "member": "memberToken",
    "shop": "shopToken",
    "partner": "partnerToken",
    "staff": "staffToken",
}
FAULTS_SHOWN: Final = 20
ROUNDS_MAX: Final = 20

for _name, _strategy in SCALARS.items():
    schemathesis.graphql.scalar(_name, _strategy)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    with serving(tmp_path_factory.mktemp("generated"), JIFEN_LOG_LEVEL="warning") as run:
        yield run


@pytest.fixture(scope="module")
def documents(full_form: bool) -> list[str]:
    """What every kind of caller sends."""
    return generated_documents(FULL if full_form else SHORT)


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
        if self._caller == "anonymous":
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
            return str(demo[CALLERS[self._caller]])
        with httpx.Client(trust_env=False) as http:
            # WeChat lets one person sign in so many times a minute, and some documents sign out.
            person = {"appId": demo["appId"], "openid": f"test-generated-{self.answers.total()}"}
            login = http.post(f"{demo['fakeWechatUrl']}/_fake/login", json=person)
            given = {"appId": demo["appId"], "code": login.json()["code"]}
            body = {"query": operation("SignInWithWeChat"), "variables": {"input": given}}
            answer = http.post(demo["graphqlUrl"], json=body).json()
        session = (answer["data"] or {}).get("signInWithWeChat", {}).get("session")
        assert session is not None, answer
        return str(session["accessToken"])


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
    """Each field of the roots by itself, by turns until there were enough cases."""
    schema = schemathesis.graphql.from_file(SDL)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    asked = Asked(server, caller)
    count = FULL if full_form else SHORT
    for one in islice(cycle(operations), ROUNDS_MAX * len(operations)):
        left = count - asked.answers.total()
        if left <= 0:
            break

        @generating(min(left, -(-count // len(operations))))
        @given(case=one.as_strategy())
        def ask(case: Any) -> None:
            response = case.call(base_url=f"{server.url}/graphql", headers=asked.headers)
            answer = response.json()
            try:
                case.validate_response(response, checks=[not_a_server_error])
            except FailureGroup as found:
                # To the tool whatever fails below a path is the server's fault. Ours have a code.
                if not blames_the_client(answer):
                    asked.wrong.append(str(found))
            asked.heard(response.status_code, response.content, answer, document=case.body)

        ask()
    conclude(server, asked, f"schemathesis cases as {caller}", count, tally, report)


def blames_the_client(answer: Any) -> bool:
    """Whether each error of the answer has a code that tells the client what to do otherwise."""
    return all(FAULTS[error["extensions"]["code"]].status < 500 for error in answer["errors"])


@pytest.mark.parametrize("caller", CALLERS)
def test_hypothesis_graphql_finds_no_server_error(
    server: MakeRun, caller: str, documents: list[str], tally: Tally, report: ClosingReport
) -> None:
    """The same documents as everybody; their lists and ids are such that the server has answers."""
    asked = Asked(server, caller)
    ids = server.demo()["memberIds"]
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
        for number, made in enumerate(documents):
            document = plausible(made, number, ids)
            response = http.post("/graphql", json={"query": document}, headers=asked.headers)
            asked.heard(response.status_code, response.content, response.json(), document=document)
    conclude(server, asked, f"hypothesis-graphql cases as {caller}", len(documents), tally, report)


def conclude(
    server: MakeRun, asked: Asked, what: str, floor: int, tally: Tally, report: ClosingReport
) -> None:
    assert not asked.wrong, f"{len(asked.wrong)} faults:\n" + "\n".join(asked.wrong[:FAULTS_SHOWN])
    assert not complaints(server), complaints(server)[0]
    tally(f"{what}, 0 server errors", asked.answers.total(), floor)
    told = ", ".join(f"{name}: {count}" for name, count in asked.answers.most_common(6))
    report.notes.append(f"{what}: {told}")
