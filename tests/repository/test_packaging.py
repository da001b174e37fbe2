"""Jifen is an application: its generic top-level names must not belong to anything installed.

A distribution that ships a top-level `schema` or `tests` would overwrite, or be overwritten by,
ours without a word. So the environment may own none of these names, and ours are never installed.
"""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

OUR_NAMES = frozenset({"api", "schema", "resolvers", "domain", "migrations", "gateway", "tests"})


def intruders(installed: list[Distribution]) -> list[str]:
    """`distribution: name` for each installed distribution that owns a name of ours."""
    return sorted(
        f"{distribution.name}: {top}"
        for distribution in installed
        for top in {Path(file.parts[0]).stem for file in distribution.files or ()}
        if top in OUR_NAMES
    )


def test_no_installed_distribution_owns_a_name_of_ours() -> None:
    installed = list(distributions())
    assert "strawberry-graphql" in {distribution.name for distribution in installed}
    assert intruders(installed) == []


@pytest.mark.parametrize("file", ["schema.py", "schema/__init__.py", "tests/test_them.py"])
def test_a_distribution_that_owns_one_is_found(file: str, tmp_path: Path) -> None:
    metadata = tmp_path / "intruder-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n")
    (metadata / "RECORD").write_text(f"{file},,\nharmless/schema.py,,\n")
    name = Path(file.split("/", maxsplit=1)[0]).stem
    assert intruders(list(distributions(path=[str(tmp_path)]))) == [f"intruder: {name}"]


def test_no_file_shadows_graphql_core() -> None:
    """`api/graphql.py` hides graphql-core from every script that is run inside `api/`."""
    assert not (ROOT / "api" / "graphql.py").exists()
    assert not (ROOT / "graphql.py").exists()
