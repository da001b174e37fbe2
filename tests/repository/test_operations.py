"""The operations that clients plan to send: kept verbatim, each served or known as not built."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

from tests.closing import ClosingReport
from tests.repository.operations import (
    FOLDER,
    INPUTS,
    input_differences,
    read_operations,
)
from tests.repository.tree import ROOT

OPERATIONS = read_operations(FOLDER)

WAITING = {
    "the whole ledger": "Proof",
    "reviews, surveys, self-service": "SubmitReview AnswerSurvey Ask Faq Surveys",
}
"""The operations whose feature does not exist, by feature. A built one leaves this list."""

NOT_BUILT_YET = frozenset(" ".join(WAITING.values()).split())


@pytest.fixture(scope="module")
def served() -> GraphQLSchema:
    return build_schema((ROOT / "schema" / "schema.graphql").read_text())


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - NOT_BUILT_YET))
def test_a_built_operation_is_valid(name: str, served: GraphQLSchema) -> None:
    assert OPERATIONS[name].errors(served) == []


def test_an_operation_listed_as_not_built_is_not_served(served: GraphQLSchema) -> None:
    stale = [name for name in NOT_BUILT_YET if not OPERATIONS[name].errors(served)]
    assert stale == [], "these are served now: take them off the list"


def test_what_is_not_built_is_said(report: ClosingReport) -> None:
    assert OPERATIONS.keys() >= NOT_BUILT_YET
    served = len(OPERATIONS) - len(NOT_BUILT_YET)
    report.notes.append(f"operations served: {served} of {len(OPERATIONS)}; not built yet:")
    report.notes.extend(f"  {feature}: {names}" for feature, names in WAITING.items())


def test_input_types_keep_what_was_planned(served: GraphQLSchema) -> None:
    assert input_differences(INPUTS.read_text(), served) == []


def test_the_copies_are_verbatim() -> None:
    """Against the digests kept here; byte for byte where JIFEN_OPERATIONS names the originals."""
    digests = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    recorded = (Path(__file__).parent / "operations.sha256").read_text().splitlines()
    assert digests == {
        name: digest for digest, name in (line.split(maxsplit=1) for line in recorded)
    }
    if originals := os.environ.get("JIFEN_OPERATIONS"):
        assert contents(FOLDER) == contents(Path(originals))


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


SCHEMA = build_schema("""
    scalar Points
    type Query { a: Int }
    input MemberRef { id: ID! phone: String }
    input HoldPointsInput { reference: String expiresInMinutes: Int = 20 shop: ID! note: String }
    type OrderInput { a: Int }
""")


def test_an_input_type_that_promises_less_is_found() -> None:
    planned = """
        input MemberRef @oneOf { id: ID phone: String }
        input HoldPointsInput { points: Points! reference: String! expiresInMinutes: Int = 30 }
        input OrderInput { a: Int }
        input NotBuilt { a: Int }
    """
    assert input_differences(planned, SCHEMA) == [
        "MemberRef: @oneOf is False, planned True",
        "MemberRef.id is ID!, planned ID",
        "HoldPointsInput.points is missing, planned Points!",
        "HoldPointsInput.reference is String, planned String!",
        "HoldPointsInput.expiresInMinutes is Int = 20, planned Int = 30",
        "HoldPointsInput.shop was added and is required",
        "OrderInput is not an input type",
    ]


def test_operations_are_read_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "two.graphql").write_text("query A { a }\nquery B { b }\n")
    operations = read_operations(tmp_path)
    assert operations["A"].errors(SCHEMA) == []
    assert operations["B"].errors(SCHEMA) == [
        "Cannot query field 'b' on type 'Query'. Did you mean 'a'?"
    ]
    (tmp_path / "again.graphql").write_text("query A { a }\n")
    with pytest.raises(AssertionError, match="A stands twice"):
        read_operations(tmp_path)
