"""Each import contract of pyproject.toml finds the import that it is there to refuse.

The contracts run here over a tree of empty packages, whole and with one wrong import at a time;
`make lint` runs them over the project.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
(LADDER,) = (contract for contract in CONTRACTS if contract.get("containers") == ["domain"])
# Optional rungs too: each must hold from the day on which it is built.
CONTEXTS = [context.strip(" ()") for rung in LADDER["layers"] for context in rung.split("|")]
(PURE,) = (contract for contract in CONTRACTS if contract["name"] == "Pure rule modules do no I/O")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The layers and every context as packages with a module inside, and the contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    packages = ["api", "schema", "resolvers", "migrations", "domain", "tests", "tests/repository"]
    packages += [f"domain/{context}" for context in CONTEXTS]
    packages += ["domain/ledger/auditing"]
    for package in packages:
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        if package != "domain":
            (tmp_path / package / "inside.py").touch()
    (tmp_path / "gateway.py").write_text("import api\n")
    shutil.copy(ROOT / "tests" / "repository" / "front_door.py", tmp_path / "tests" / "repository")
    return tmp_path


def broken(tree: Path) -> list[str]:
    """The names of the contracts that the tree breaks."""
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [command, "--no-cache", "--no-logo"], cwd=tree, capture_output=True, text=True, check=False
    )
    found = [c["name"] for c in CONTRACTS if f"{c['name']} BROKEN" in run.stdout]
    assert run.returncode == bool(found), run.stdout + run.stderr
    return found


def test_a_tree_that_keeps_the_rules_passes(tree: Path) -> None:
    (tree / "resolvers/inside.py").write_text("from domain import ledger\n")
    (tree / "migrations/inside.py").write_text("import domain.storage.inside\n")
    (tree / "domain/ledger/__init__.py").write_text("import domain.ledger.inside\n")
    (tree / "domain/tiers/inside.py").write_text("import domain.ledger, domain.errors\n")
    (tree / "domain/ledger/book.py").write_text("import domain.errors, datetime\n")
    assert broken(tree) == []


@pytest.mark.parametrize("module", PURE["source_modules"])
def test_every_pure_rule_module_is_one(module: str) -> None:
    """A wildcard that matches nothing would guard nothing, and say nothing."""
    path = module.replace(".", "/")
    assert list(ROOT.glob(f"{path}.py")) + list(ROOT.glob(f"{path}/__init__.py")) != []


FLOW = "Requests flow down: a layer imports only what is below it"
LADDER_RULE = "Contexts form a ladder: a new one takes its rung here"

PLANTED = {
    "the domain imports a resolver": ("domain/ledger/inside.py", "import resolvers", [FLOW]),
    "the schema imports the edge": ("schema/inside.py", "import api.inside", [FLOW]),
    "the domain imports its migrations": ("domain/ledger/inside.py", "import migrations", [FLOW]),
    "somebody imports the gateway": (
        "api/inside.py",
        "import gateway",
        ["Nobody imports the composition root"],
    ),
    "the domain imports transport": (
        "domain/ledger/inside.py",
        "from starlette import requests",
        ["The domain knows no transport"],
    ),
    "a rule does I/O": (
        "domain/ledger/book.py",
        "import asyncpg",
        ["Pure rule modules do no I/O"],
    ),
    "a rule does I/O through a neighbour": (
        "domain/purchases/rules.py",
        "import domain.purchases.inside",
        ["Pure rule modules do no I/O"],
    ),
    "a context imports one above it": (
        "domain/ledger/inside.py",
        "import domain.tiers",
        [LADDER_RULE],
    ),
    "a context imports its neighbour": (
        "domain/rewards/inside.py",
        "import domain.purchases",
        [LADDER_RULE],
    ),
    "a context has no rung": ("domain/gossip.py", "", [LADDER_RULE]),
    "a context enters another by the window": (
        "domain/tiers/inside.py",
        "import domain.ledger.inside",
        ["A context is entered by its front door"],
    ),
    "the ledger enters its audit by the window": (
        "domain/ledger/inside.py",
        "import domain.ledger.auditing.inside",
        ["A room of the ledger is entered by its front door"],
    ),
    "a resolver reaches for tables": (
        "resolvers/inside.py",
        "from domain.members import inside",
        ["A context is entered by its front door"],
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_wrong_import_is_found(planted: str, tree: Path) -> None:
    name, line, expected = PLANTED[planted]
    (tree / "domain/purchases/inside.py").write_text("import redis\n")
    (tree / name).write_text(f"{line}\n")
    assert broken(tree) == expected
