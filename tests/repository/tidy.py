"""The rules of tidiness that a machine can check, each a function from a file to what is wrong.

Sizes, words and names as STYLE.md has them; places and hosts because the project must build on any
machine. Words that a rule forbids are put together here, so that this file keeps the rule too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.repository.tree import texts

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
RESOLVER_LINES_MAX = 14

_CODE = frozenset({".js", ".mjs", ".sh", ".ts"})
_LOOSE_ENDS = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b"
)
_BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[)")
_BARE_NOQA = re.compile(r"#\s*noqa(?!:\s*[A-Z]+[0-9])", re.IGNORECASE)
_VAGUE_PATH = re.compile(r"^(utils?|helpers?|managers?|data|misc|common)$")
_VAGUE_NAME = re.compile(r"(^|_)(utils?|helpers?|manager)($|_)|(Utils?|Helpers?|Manager)$")
_REGISTRIES = re.compile(
    "|".join(
        re.escape(host)
        for host in (
            "pypi" + ".org",
            "python" + "hosted.org",
            "npm" + "js.org",
            "npm" + "js.com",
            "yarn" + "pkg.com",
            "deb." + "debian.org",
            "crates" + ".io",
            "proxy." + "golang.org",
            "ana" + "conda.org",
        )
    )
)
_MACHINE_PATHS = re.compile(
    r"(?<![\w.~$}])/(work|root|home|Users)/\w|(?<!\w)\.lib" + r"rary\b|/opt/(py" + r"pi|wheels)"
)
_BESIDE = "../" + "shared"
_MAY_NAME_BESIDE = Path(".ci/run")
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


@dataclass(frozen=True, slots=True)
class Source:
    """One text file of the tree, its path relative to the root."""

    path: Path
    text: str

    @property
    def is_python(self) -> bool:
        """Whether the Python rules apply."""
        return self.path.suffix == ".py"

    def lines_matching(self, pattern: re.Pattern[str], complaint: str) -> Iterator[str]:
        """One complaint per line that the pattern is found in."""
        for number, line in enumerate(self.text.splitlines(), start=1):
            if found := pattern.search(line):
                yield f"{self.path}:{number}: {complaint}: {found.group()}"


def problems(root: Path) -> list[str]:
    """Everything untidy under the root, as `path:line: complaint`."""
    found: list[str] = []
    for path, text in texts(root):
        source = Source(path=path, text=text)
        for rule in _RULES:
            found.extend(rule(source))
    return found


def long_files(source: Source) -> Iterator[str]:
    """Code files stay within 400 lines."""
    count = source.text.count("\n")
    if (source.is_python or source.path.suffix in _CODE) and count > FILE_LINES_MAX:
        yield f"{source.path}:1: {count} lines, at most {FILE_LINES_MAX}"


def long_functions(source: Source) -> Iterator[str]:
    """Functions stay within 70 lines, resolvers within 14 besides their docstring."""
    in_resolvers = source.path.parts[0] == "resolvers"
    for function in _functions(source):
        length = _length(function)
        if in_resolvers:
            length -= _docstring_length(function)
        limit = RESOLVER_LINES_MAX if in_resolvers else FUNCTION_LINES_MAX
        if length > limit:
            where = f"{source.path}:{function.lineno}"
            yield f"{where}: {function.name} has {length} lines, at most {limit}"


def busy_resolvers(source: Source) -> Iterator[str]:
    """A resolver translates: it catches nothing and reckons nothing."""
    if source.path.parts[0] != "resolvers":
        return
    for function in _functions(source):
        for node in ast.walk(function):
            where = f"{source.path}:{getattr(node, 'lineno', function.lineno)}"
            if isinstance(node, ast.Try):
                yield f"{where}: {function.name} has a try"
            if isinstance(node, ast.BinOp) and isinstance(node.op, _ARITHMETIC):
                yield f"{where}: {function.name} does arithmetic"


def loose_ends(source: Source) -> Iterator[str]:
    """What is left to do stands in an issue, not in a comment."""
    yield from source.lines_matching(_LOOSE_ENDS, "a loose end")


def bare_exemptions(source: Source) -> Iterator[str]:
    """A check is silenced by its code only."""
    if source.is_python:
        yield from source.lines_matching(_BARE_IGNORE, "an exemption without a code")
        yield from source.lines_matching(_BARE_NOQA, "an exemption without a code")


def vague_names(source: Source) -> Iterator[str]:
    """Names say what a thing is: no files, classes or functions named after their vagueness."""
    for part in (*source.path.parts[:-1], source.path.stem):
        if _VAGUE_PATH.search(part):
            yield f"{source.path}:1: a vague name: {part}"
    for node in _nodes(source):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        vague_verb = source.path.parts[0] in {"domain", "resolvers"} and "handle_" in node.name
        if vague_verb or _VAGUE_NAME.search(node.name):
            yield f"{source.path}:{node.lineno}: a vague name: {node.name}"


def registry_hosts(source: Source) -> Iterator[str]:
    """Where packages come from is the machine's affair."""
    yield from source.lines_matching(_REGISTRIES, "a package registry's host")


def machine_places(source: Source) -> Iterator[str]:
    """No path of one machine; what lies beside the checkout is named by `.ci/run` alone."""
    yield from source.lines_matching(_MACHINE_PATHS, "a path of one machine")
    if source.path != _MAY_NAME_BESIDE:
        yield from source.lines_matching(
            re.compile(re.escape(_BESIDE)), "a folder beside the checkout"
        )


_RULES: tuple[Callable[[Source], Iterator[str]], ...] = (
    long_files,
    long_functions,
    busy_resolvers,
    loose_ends,
    bare_exemptions,
    vague_names,
    registry_hosts,
    machine_places,
)


def _nodes(source: Source) -> Iterator[ast.AST]:
    if source.is_python:
        yield from ast.walk(ast.parse(source.text, filename=str(source.path)))


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in _nodes(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _docstring_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return _length(function.body[0]) if ast.get_docstring(function) is not None else 0
