"""The charts, as SVG to stand in a page.

Only numbers are written in them: words are the page's, in its language. Colours are the page's
too, by class, so that charts are dark where the page is. matplotlib is loaded when one is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree

from domain.recommendations import Quality

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGAIN: Final = "#0a0001"
DISCOVER: Final = "#0a0002"
INK: Final = "#0a0003"
LINE: Final = "#0a0004"
_CLASSES: Final[Mapping[str, str]] = {
    AGAIN: "again",
    DISCOVER: "discover",
    INK: "ink",
    LINE: "line",
}
"""Colours stand for what is drawn in them: each becomes a class, which the page gives a colour."""

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_REFERENCE: Final = re.compile(r"#([a-z][0-9a-zA-Z_-]+)(?=[\")]|$)")
_INCHES: Final = (5.2, 3.0)
_STYLE: Final[Any] = {
    # Texts stay texts, in the fonts of the page.
    "svg.fonttype": "none",
    "svg.hashsalt": "jifen",
    "font.size": 11.0,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": LINE,
    "lines.linewidth": 2.2,
}


def by_places(quality: Quality, *, name: str) -> str:
    """Recall of both shelves by how many places are shown, beside the popular list.

    No two charts of a page have the same `name`.
    """

    def draw(axes: Axes) -> None:
        for shelf, colour in ((quality.again, AGAIN), (quality.discover, DISCOVER)):
            cuts = sorted(shelf.recall)
            places = range(len(cuts))
            axes.plot(places, [shelf.recall[cut] for cut in cuts], color=colour, marker="o")
            axes.axhline(shelf.popular, color=colour, linestyle=(0, (3, 3)), linewidth=1.2)
            axes.set_xticks(places, [str(cut) for cut in cuts])

    return _drawn(draw, name=name)


def by_history(quality: Quality, *, name: str) -> str:
    """Recall of both shelves by how many products members had, with how many members they are."""

    def draw(axes: Axes) -> None:
        groups = quality.by_history
        for shift, shelf, colour in ((-0.2, "again", AGAIN), (0.2, "discover", DISCOVER)):
            heights = [getattr(group, shelf) for group in groups]
            axes.bar([place + shift for place in range(len(groups))], heights, 0.38, color=colour)
        for place, group in enumerate(groups):
            top = max(group.again, group.discover)
            axes.annotate(
                f"{group.members:,}",
                (place, top),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
            )
        labels = [
            f"{group.least}+" if group.most is None else f"{group.least}–{group.most}"
            for group in groups
        ]
        axes.set_xticks(range(len(groups)), labels)

    return _drawn(draw, name=name)


def by_version(qualities: Mapping[int, Quality], *, name: str) -> str:
    """Recall at 10 of each version that was judged, with its standard error."""

    def draw(axes: Axes) -> None:
        versions = sorted(qualities)
        places = range(len(versions))
        for shelf, colour in (("again", AGAIN), ("discover", DISCOVER)):
            shelves = [getattr(qualities[version], shelf) for version in versions]
            axes.errorbar(
                places,
                [one.recall_at_10 for one in shelves],
                yerr=[one.error for one in shelves],
                color=colour,
                marker="o",
                capsize=4,
            )
        axes.set_xticks(places, [str(version) for version in versions])
        axes.set_xlim(-0.5, len(versions) - 0.5)

    return _drawn(draw, name=name)


def _drawn(draw: Callable[[Axes], None], *, name: str) -> str:
    """A chart whose upright axis is a share from 0."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        axes.set_ylim(bottom=0)
        axes.margins(y=0.15)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(visible=True, axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(written.getvalue(), name=name)


def _for_page(svg: str, *, name: str) -> str:
    """The drawing without what a page must not have: own styles, metadata, sizes, equal ids."""
    root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib's, of numbers
    _drop(root, {"metadata", "style"})
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    used = set(_REFERENCE.findall(svg))
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    for element in root.iter():
        _restyle(element)
        _rename(element, used=used, name=name)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _drop(parent: ElementTree.Element, names: set[str]) -> None:
    for child in list(parent):
        if child.tag.rpartition("}")[2] in names:
            parent.remove(child)
        else:
            _drop(child, names)


def _rename(element: ElementTree.Element, *, used: set[str], name: str) -> None:
    """Ids that the drawing itself refers to begin with its name, others go."""
    own = element.attrib.pop("id", None)
    if own in used:
        element.set("id", f"{name}-{own}")
    for attribute, value in element.items():
        element.set(attribute, _REFERENCE.sub(rf"#{name}-\1", value))


def _restyle(element: ElementTree.Element) -> None:
    """Properties become attributes, which a strict policy of content allows; colours, classes."""
    classes: list[str] = []
    for declaration in element.attrib.pop("style", "").split(";"):
        name, colon, value = (part.strip() for part in declaration.partition(":"))
        if not colon or name == "font":
            continue
        if value in _CLASSES:
            classes.append(f"{_CLASSES[value]}-{name}")
        else:
            element.set(name, value)
    for name in ("fill", "stroke"):
        if (value := element.attrib.get(name, "")) in _CLASSES:
            del element.attrib[name]
            classes.append(f"{_CLASSES[value]}-{name}")
    if classes:
        element.set("class", " ".join(classes))


def chart_rules() -> Sequence[str]:
    """The rules of style that give the classes of charts their colours."""
    return [
        f".{name}-{what} {{ {what}: var(--{name}) }}"
        for name in _CLASSES.values()
        for what in ("fill", "stroke")
    ]
