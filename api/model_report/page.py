"""The report as one page: HTML that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import jinja2

from api.model_report import charts
from api.model_report.words import WORDS
from domain.recommendations import Quality, RecommendationModel
from resolvers.context import Language

VERSIONS_MAX: Final = 20
"""So many of the newest versions are told."""

FEW: Final = 200
"""Of fewer members, figures are rough: the standard error is some percent."""

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """A version with what was drawn of it."""

    model: RecommendationModel
    quality: Quality | None
    places: str
    history: str
    stages: Mapping[str, float]


def report_page(models: Sequence[RecommendationModel], *, language: Language) -> str:
    """The page of these versions, newest first. Drawing takes some tenths of a second: a thread's.

    Versions that were not trained to their end are told as rows of the table alone.
    """
    judged = {one.version: found for one in models if (found := quality_of(one)) is not None}
    told = [
        _Told(
            model=one,
            quality=(quality := judged.get(one.version)),
            places="" if quality is None else charts.by_places(quality, name=f"p{one.version}"),
            history="" if quality is None else charts.by_history(quality, name=f"h{one.version}"),
            stages=one.figures["seconds"],
        )
        for one in models
        if one.figures
    ]
    return _page().render(
        language=language,
        # As attributes: a mapping has words of its own, like `copy` and `keys`.
        words=SimpleNamespace(**WORDS[language]),
        named=WORDS[language],
        models=models,
        told=told,
        judged=judged,
        versions=charts.by_version(judged, name="v") if len(judged) > 1 else "",
        style=style(),
        few=FEW,
    )


def quality_of(model: RecommendationModel) -> Quality | None:
    """How good the version is; None where nobody asked."""
    facts: Any = model.figures.get("quality")
    return None if facts is None else Quality.from_facts(facts)


@cache
def style() -> str:
    """The only style of the page."""
    text = (_FOLDER / "templates" / "report.css").read_text(encoding="utf-8")
    return "\n" + text + "\n".join(charts.chart_rules()) + "\n"


def content_policy() -> str:
    """What the page may do: show itself in its own style, and nothing else.

    Its icon is an empty image that it holds itself, so that no browser asks for one.
    """
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src 'sha256-{digest}'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = lambda value: f"{value:.1%}"
    environment.filters["recall"] = lambda value: f"{value:.4f}"
    environment.filters["count"] = lambda value: f"{value:,}"
    return environment.get_template("report.html")
