"""Whatever has a long form is run by `make soak`: it takes `full_form` and is marked `soak`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.repository.tree import ROOT

FORM = "full_form"


def unmarked(source: str) -> list[str]:
    """The tests of a module that take the form, or a fixture of the module that does, unmarked."""
    module = ast.parse(source)
    functions = list(functions_of(module))
    forms = {FORM}
    # A fixture may stand before the one that it takes.
    while (
        more := {each.name for each in functions if is_fixture(each) and takes(each) & forms}
        - forms
    ):
        forms |= more
    if any(is_soak(node) for node in module.body if assigns_marks(node)):
        return []
    return [
        each.name
        for each in functions
        if each.name.startswith("test_")
        and takes(each) & forms
        and not any(is_soak(decorator) for decorator in each.decorator_list)
    ]


def functions_of(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def takes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}


def is_fixture(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("fixture" in ast.unparse(each) for each in function.decorator_list)


def assigns_marks(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"


def is_soak(marks: ast.AST) -> bool:
    """Whether `pytest.mark.soak` is there, alone or in a list."""
    return any(ast.unparse(each) == "pytest.mark.soak" for each in ast.walk(marks))


def test_what_takes_the_full_form_is_marked_soak() -> None:
    takers, found = 0, []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text()
        if FORM not in source:
            continue
        takers += 1
        found += [f"{path.relative_to(ROOT)}: {name}" for name in unmarked(source)]
    assert found == []
    assert takers >= 20, "the guard found those that it is for"


def test_the_guard_finds_what_is_not_marked() -> None:
    source = """
@pytest.fixture
def documents(count): ...
@pytest.fixture(scope="module")
def count(full_form): ...
def test_plain(full_form): ...
async def test_by_keyword(*, full_form): ...
def test_by_fixture(documents): ...
@pytest.mark.timeout(0)
def test_other_mark(full_form): ...
@pytest.mark.soak
def test_marked(full_form): ...
def test_of_one_form(tally): ...
"""
    assert unmarked(source) == [
        "test_plain",
        "test_by_keyword",
        "test_by_fixture",
        "test_other_mark",
    ]
    assert unmarked(source + "pytestmark = [pytest.mark.faults, pytest.mark.soak]") == []
    assert unmarked(source + "pytestmark = pytest.mark.faults") != []
