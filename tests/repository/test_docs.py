"""The documents keep their form: each word once, each decision listed and complete."""

from __future__ import annotations

import re
from collections import Counter

from tests.repository.tree import ROOT

DECISIONS = ROOT / "docs" / "decisions"
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives"]


def sections(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def test_the_glossary_defines_each_word_once_in_both_languages() -> None:
    text = (ROOT / "docs" / "GLOSSARY.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| word"))
    ]
    assert all(len(row) == 3 and all(row) for row in rows)
    for column in (0, 1):
        repeated = [word for word, n in Counter(row[column] for row in rows).items() if n > 1]
        assert repeated == []
    assert all(re.search("[\u4e00-\u9fff]", row[1]) for row in rows)


def test_the_glossary_is_sorted_within_its_sections() -> None:
    text = (ROOT / "docs" / "GLOSSARY.md").read_text()
    for section in text.split("\n## ")[1:]:
        words = re.findall(r"^\| ([a-z][\w -]*) \|", section, flags=re.MULTILINE)
        words.remove("word")
        assert words == sorted(words)


def test_each_decision_is_listed_numbered_and_complete() -> None:
    files = sorted(path.name for path in DECISIONS.glob("0*.md"))
    index = (DECISIONS / "README.md").read_text()
    assert re.findall(r"^\| \[\d{4}\]\(([^)]+)\)", index, flags=re.MULTILINE) == files
    for number, name in enumerate(files, start=1):
        text = (DECISIONS / name).read_text()
        assert re.match(rf"# {number:04} \S", text), name
        assert re.search(r"^Status: (proposed|accepted|replaced by \d{4})$", text, re.MULTILINE), (
            name
        )
        assert sections(text) == SECTIONS, name
    assert sections((DECISIONS / "template.md").read_text()) == SECTIONS


def test_the_changelog_has_a_place_for_the_next_line() -> None:
    assert "[Unreleased]" in sections((ROOT / "CHANGELOG.md").read_text())
