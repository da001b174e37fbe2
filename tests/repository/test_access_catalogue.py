"""docs/access.md says who may read what, as the schema has it now."""

from __future__ import annotations

from domain.access import StaffRole
from schema.catalogue_of_access import access_catalogue
from schema.root import build_schema
from tests.graphql.matrix.places import all_fields
from tests.repository.tree import ROOT

SCHEMA = build_schema()
PAGE = access_catalogue(SCHEMA)


def rows() -> list[list[str]]:
    table = PAGE.partition("## Fields")[2].splitlines()
    return [line.strip("| ").split(" | ") for line in table if line.startswith("| `")]


def test_the_page_is_current() -> None:
    """`python -m api.cli print-access` writes it anew; then read the diff: is it what you meant?"""
    assert (ROOT / "docs" / "access.md").read_text() == PAGE


def test_every_field_has_one_row() -> None:
    told = []
    for owner, fields, _ in rows():
        name = owner.strip("`")
        if fields == "all":
            told += [one for one in all_fields(SCHEMA._schema) if one.startswith(f"{name}.")]
        else:
            told += [f"{name}.{field.strip('`')}" for field in fields.split(", ")]
    assert sorted(told) == sorted(all_fields(SCHEMA._schema))


def test_what_is_most_dangerous_to_get_wrong_is_told() -> None:
    lines = PAGE.splitlines()
    assert "| `Member` | all | members |" not in lines  # Its id is that of every node.
    readers = "`support`, `finance`, `auditor`"
    for line in (
        "| `Query` | `me` | members |",
        "| `Query` | `partner` | shops and partners |",
        "| `Query` | `staff` | staff |",
        "| `Staff` | `auditLog`, `ledgerAudit` | staff: `auditor` |",
        "| `AuditEntry` | all | staff: `auditor` |",
        f"| `StaffMember` | `points`, `ledger` | staff: {readers} |",
        f"| `PointsBalance` | all | members; staff: {readers} |",
        "| `Mutation` | `recordPurchases`, `recordOrderNotices`, `recordRefunds` |"
        " scope `purchases:write` |",
    ):
        assert line in lines


def test_every_role_is_told() -> None:
    assert [
        line.split("`")[1]
        for line in PAGE.partition("## Fields")[0].splitlines()
        if line.startswith("| `")
    ] == list(StaffRole)
