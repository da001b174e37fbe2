"""The page of the report: what it tells, in which words, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from api.model_report.page import content_policy, report_page
from api.model_report.words import WORDS
from domain.recommendations import ModelStatus
from resolvers.context import Language
from tests.api.model_report.judged import version

ACTIVE, KEPT, TRAINING = ModelStatus.ACTIVE, ModelStatus.KEPT, ModelStatus.TRAINING
BOTH = [version(4, TRAINING), version(3, ACTIVE, members=300), version(2, KEPT, members=40)]


class Read(HTMLParser):
    """The elements of a page with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.extend(filter(None, [data.strip()]))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_version_is_told_and_those_that_were_judged_are_drawn(language: Language) -> None:
    read = Read(report_page(BOTH, language=language))
    words = WORDS[language]
    assert words["title"] in read.texts
    assert {"4", "3", "2"} <= set(read.texts)
    assert {words["TRAINING"], words["ACTIVE"], words["KEPT"]} <= set(read.texts)
    # Two of each version that was judged, and one of both versions.
    assert [tag for tag, _ in read.elements].count("svg") == 5
    told = " ".join(read.texts)
    assert "4,012" in told
    assert "2026-10-02 – 2026-11-01" in told
    assert words["few"] in told, "of forty members"
    other = WORDS["en" if language == "zh" else "zh"]
    assert other["held_out_about"] not in told


def test_figures_are_those_of_the_model() -> None:
    read = Read(report_page([version(3, ACTIVE, members=300)], language="en"))
    # Of what they bought again one, of new and other, which only some bought, one: 1/2 or 1/3.
    assert "0.3889" in read.texts, "buy again"
    assert "0.6667" in read.texts, "discover: all of the new, or half"
    assert "1.0%" in read.texts, "one product of a hundred was discovered"
    assert WORDS["en"]["few"] not in " ".join(read.texts)
    assert [tag for tag, _ in read.elements].count("svg") == 2, "one version needs no trend"


def test_without_a_model_and_without_a_judgement_the_page_says_so() -> None:
    assert WORDS["en"]["none"] in Read(report_page([], language="en")).texts
    read = Read(report_page([version(2, ACTIVE)], language="zh"))
    assert WORDS["zh"]["not_judged"] in read.texts
    assert "svg" not in {tag for tag, _ in read.elements}


def test_the_page_asks_nobody_and_runs_nothing() -> None:
    page = report_page(BOTH, language="en")
    read = Read(page)
    assert {tag for tag, _ in read.elements}.isdisjoint({"script", "img", "iframe", "object"})
    for tag, attributes in read.elements:
        assert "style" not in attributes, (tag, attributes)
        assert not {name for name in attributes if name.startswith("on")}, (tag, attributes)
        for name in ("href", "xlink:href", "src"):
            target = attributes.get(name) or "#"
            assert target.startswith("#") or target == "data:,", (tag, target)
    assert "@import" not in page
    # Each id is one, and what is referred to is there.
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    referred = re.findall(r'(?:url\(|href=")#([^")]+)', page)
    assert referred
    assert set(referred) <= set(ids)


def test_its_policy_allows_its_own_style_and_nothing_else() -> None:
    [style] = re.findall(r"<style>(.*?)</style>", report_page([], language="zh"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_policy()
    assert content_policy().startswith("default-src 'none'; ")


def test_both_languages_have_all_words() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    assert all(WORDS["zh"].values())
