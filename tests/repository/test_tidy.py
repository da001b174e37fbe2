"""The repository is tidy, and each rule of tidiness finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repository import tidy
from tests.repository.tree import ROOT


def test_the_repository_is_tidy() -> None:
    assert tidy.problems(ROOT) == []


def function_of(lines: int, *, docstring: int = 0) -> str:
    body = ['    """'] + ["    words"] * (docstring - 2) + ['    """'] if docstring else []
    return "\n".join(["def long():", *body, *["    pass"] * (lines - 1)]) + "\n"


PLANTED = {
    "a long file": ("domain/ledger/posting.py", "x = 1\n" * 401, "401 lines"),
    "a long function": ("api/app.py", function_of(71), "long has 71 lines"),
    "a long resolver": ("resolvers/home.py", function_of(15), "long has 15 lines"),
    "a try": (
        "resolvers/home.py",
        "def f():\n    try:\n        g()\n    finally:\n        h()\n",
        "f has a try",
    ),
    "arithmetic": ("resolvers/home.py", "def f(a, b):\n    return a + b\n", "f does arithmetic"),
    "a loose end": ("docs/GUIDE.md", "TO" + "DO: write this\n", "a loose end"),
    "a bare ignore": ("api/app.py", "x = y  # type: " + "ignore\n", "an exemption without a code"),
    "a bare noqa": ("api/app.py", "x = y  # no" + "qa\n", "an exemption without a code"),
    "a vague file": ("domain/ledger/helpers.py", "", "a vague name: helpers"),
    "a vague folder": ("api/utils/text.py", "", "a vague name: utils"),
    "a vague class": ("api/app.py", "class SessionManager: ...\n", "a vague name: SessionManager"),
    "a vague function": ("api/app.py", "def date_helper(): ...\n", "a vague name: date_helper"),
    "a vague verb": (
        "domain/ledger/posting.py",
        "def handle_entry(): ...\n",
        "a vague name: handle_entry",
    ),
    "a registry": ("package.json", '"https://registry.npm' + 'js.org/"\n', "registry's host"),
    "a machine's path": ("README.md", "cd /wo" + "rk/main\n", "a path of one machine"),
    "a neighbour": ("Makefile", "cp ../" + "shared/data .\n", "beside the checkout"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_an_untidy_file_is_found(planted: str, tmp_path: Path) -> None:
    name, text, complaint = PLANTED[planted]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (found,) = tidy.problems(tmp_path)
    assert found.startswith(f"{name}:")
    assert complaint in found


TIDY = {
    "a file at the limit": ("domain/ledger/posting.py", "x = 1\n" * 400),
    "a function at the limit": ("api/app.py", function_of(70)),
    "a resolver at the limit": ("resolvers/home.py", function_of(14, docstring=6)),
    "a union of types": ("resolvers/home.py", "def f(a) -> int | None:\n    return a\n"),
    "coded exemptions": ("api/app.py", "x = y  # type: ignore[misc]  # noqa: S105\n"),
    "a protocol's own verb": ("api/sockets.py", "def handle_message(): ...\n"),
    "the one script that may look beside": (".ci/run", "ls ../" + "shared/data\n"),
    "what is not ours": (".venv/lib/utils.py", "TO" + "DO\n"),
    "what is not text": ("logo.png", "\udcff TO" + "DO\n"),
}


@pytest.mark.parametrize("tidy_file", TIDY)
def test_a_tidy_file_is_left_alone(tidy_file: str, tmp_path: Path) -> None:
    name, text = TIDY[tidy_file]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert tidy.problems(tmp_path) == []
