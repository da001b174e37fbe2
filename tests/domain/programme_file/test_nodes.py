"""YAML that is read: only what a file of settings needs, with lines, and nothing that can bite."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.errors import ProgrammeFileInvalid
from domain.programme_file import nodes
from domain.programme_file.nodes import BYTES_MAX, Fields, Items, Text, read_nodes
from domain.programme_file.yaml_text import yaml_text


def refused(source: bytes | str) -> tuple[int, str]:
    with pytest.raises(ProgrammeFileInvalid) as found:
        read_nodes(source.encode() if isinstance(source, str) else source)
    [problem] = found.value.problems
    assert problem.path == ""
    return problem.line, problem.rule


def test_values_know_their_lines_and_stay_texts() -> None:
    source = "# A comment.\na: on\nb:\n  - '1'\n  - {c: 2026-03-01, d: ~}\n"
    assert read_nodes(source.encode()) == Fields(
        2,
        {
            "a": Text(2, "on", True),
            "b": Items(
                4,
                (
                    Text(4, "1", False),
                    Fields(
                        5,
                        {"c": Text(5, "2026-03-01", True), "d": Text(5, "~", True)},
                        {"c": 5, "d": 5},
                    ),
                ),
            ),
        },
        {"a": 2, "b": 3},
    )


LAUGHS = "a: &a [x, x]\n" + "\n".join(f"{b}: &{b} [*{a}, *{a}]" for a, b in ("ab", "bc", "cd"))


@pytest.mark.parametrize(
    ("source", "line", "rule"),
    [
        ("", 1, "not empty"),
        ("# Nothing.\n", 1, "not empty"),
        (LAUGHS, 1, "no anchors and no aliases"),
        ("a: 1\nb: *a\n", 2, "no anchors and no aliases"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "no tags"),
        ("a:\n  b: !!str 1\n", 2, "no tags"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' once only"),
        ("? [a]\n: 1\n", 1, "keys that are texts"),
        ("a: 1\n---\nb: 1\n", 2, "one document only"),
        ("a: 1\n b: 2\n", 2, "YAML: mapping values are not allowed here"),
        ("a: 'b\n", 2, "YAML: found unexpected end of stream"),
        ("a: [1\nb: 2\n", 2, "YAML: expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2\n", 2, "YAML: found character '\\t' that cannot start any token"),
        ("[" * 100_000, 1, "at most 8 levels of nesting"),
        (
            "a:\n" + "".join(f"{'  ' * n}a:\n" for n in range(1, 20)),
            9,
            "at most 8 levels of nesting",
        ),
        (b"a: 1\nb: \xff\n", 2, "text in UTF-8"),
        (b"a: 1\nb: \x00\n", 2, "no control characters"),
        ('a: "\\uD800"\n', 1, "characters that there are"),
        ('a: "\\UFFFFFFFF"\n', 1, "YAML that can be read"),
        (b"x" * (BYTES_MAX + 1), 1, "at most 4,194,304 bytes"),
    ],
    ids=range(20),
)
def test_what_is_not_read_is_refused_with_its_line(
    source: bytes | str, line: int, rule: str
) -> None:
    assert refused(source) == (line, rule)


def test_a_file_has_so_many_values_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "NODES_MAX", 20)
    assert refused("- a\n" * 21) == (20, "at most 20 values")
    read_nodes(b"- a\n" * 19)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!|>'\"#%@?, \n\t", max_size=40))
@example(b"a: |\n \t\n")
@example("%TAG ! tag:x,2000:\n--- !a b")
def test_whatever_the_bytes_they_are_read_or_refused(source: bytes | str) -> None:
    given_bytes = source.encode() if isinstance(source, str) else source
    with suppress(ProgrammeFileInvalid):
        read_nodes(given_bytes)


STORED = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["null", "~", "Yes", "1e3", "a: b", "- a", "#", "'", "\u2028", "\ufeff", "é"]
)
VALUES = st.recursive(
    STORED | st.integers(-(10**17), 10**17),
    lambda inner: st.lists(
        st.dictionaries(STORED, inner, min_size=1, max_size=3), min_size=1, max_size=2
    ),
    max_leaves=4,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(STORED, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_as_it_was(document: dict[str, object]) -> None:
    def plain(node: object) -> object:
        match node:
            case Text(_, text, _):
                return text
            case Items(_, items):
                return [plain(one) for one in items]
            case Fields(_, entries, _):
                return {name: plain(one) for name, one in entries.items()}
        raise AssertionError(node)

    def texts(value: object) -> object:
        match value:
            case list():
                return [texts(one) for one in value]
            case dict():
                return {name: texts(one) for name, one in value.items()}
        return str(value)

    written = yaml_text(document)
    assert plain(read_nodes(written.encode())) == texts(document)
