"""A client made by GraphQL Code Generator: its types, and its documents as trusted ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
import pytest

from tests.conformance.conftest import FOLDER, MODULES, Clients, Server, assert_all_passed
from tests.graphql.operations import operation
from tests.repository.operations import FOLDER as OPERATIONS
from tests.repository.operations import read_operations
from tests.repository.test_operations import NOT_BUILT_YET
from tests.repository.tree import ROOT

pytestmark = pytest.mark.conformance

SDL: Final = ROOT / "schema" / "schema.graphql"
BUILT: Final = sorted(read_operations(OPERATIONS).keys() - NOT_BUILT_YET)
TRUSTED: Final = {
    "a document by its hash",
    "a document by its hash, by GET",
    "another document is refused, also with its hash",
    "a server of ours may send any document",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the operations that are built, one file each, and a client that uses some."""
    folder = tmp_path_factory.mktemp("client").resolve()
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "operations").mkdir()
    for name in BUILT:
        (folder / "operations" / f"{name}.graphql").write_text(operation(name) + "\n")
    for source in (FOLDER / "typed").iterdir():
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


@pytest.fixture(scope="module")
def generated(clients: Clients, project: Path) -> Path:
    """What codegen's client preset makes of them."""
    clients.run(
        clients.tool("graphql-codegen"), "--config", "codegen.mjs", cwd=project, SDL=str(SDL)
    )
    return project / "generated"


@pytest.fixture(scope="module")
def manifest(generated: Path) -> dict[str, str]:
    """The documents by their hash, as the preset writes them beside the types."""
    content: dict[str, str] = orjson.loads((generated / "persisted-documents.json").read_bytes())
    return content


def test_every_operation_is_valid(clients: Clients, project: Path) -> None:
    told = clients.run(
        clients.tool("graphql-inspector"),
        *("validate", "operations/*.graphql", SDL),
        cwd=project,
    )
    assert "All documents are valid" in told
    clients.note("graphql-inspector validate", "schema", f"{len(BUILT)} operations are valid")


def test_inspector_finds_what_is_not_valid(clients: Clients, project: Path) -> None:
    """The tool is no ornament: a field that is not there makes it fail."""
    (project / "wrong").mkdir()
    (project / "wrong" / "one.graphql").write_text("query One { program { nothing } }\n")
    with pytest.raises(AssertionError, match="Cannot query field nothing"):
        clients.run(
            clients.tool("graphql-inspector"),
            *("validate", "wrong/*.graphql", SDL),
            cwd=project,
        )


def test_the_types_fit_a_client(clients: Clients, project: Path, generated: Path) -> None:
    assert (generated / "graphql.ts").is_file()
    clients.run(clients.tool("tsc"), "--noEmit", "--project", ".", cwd=project)
    clients.note("codegen client-preset, tsc --noEmit", "schema", f"{len(BUILT)} documents")


def test_every_document_is_in_the_manifest(manifest: dict[str, str]) -> None:
    assert len(manifest) == len(BUILT)
    assert all(name.startswith("sha256:") for name in manifest)
    for name in BUILT:
        assert any(f" {name}" in text.split("{")[0] for text in manifest.values()), name


def test_a_server_that_trusts_the_manifest_runs_its_documents_by_hash(
    clients: Clients, generated: Path, serve: Callable[..., Server]
) -> None:
    server = serve(
        JIFEN_DOCUMENTS__MANIFEST=str(generated / "persisted-documents.json"),
        JIFEN_DOCUMENTS__TRUSTED_ONLY="true",
    )
    results = clients.script("trusted", server, GENERATED=str(generated))
    client = "codegen documents, trusted only"
    assert_all_passed(clients, results, client=client, mode=server.mode, names=TRUSTED)
