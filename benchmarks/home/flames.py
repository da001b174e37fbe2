"""Flame graphs: stacks that were met, drawn as wide as they were met often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape, quoteattr

_WIDTH, _HEIGHT, _CHARACTER = 1_200.0, 16, 6.5
_LEAST: Final = 0.003
"""What is narrower than this share of all is left out."""

_COLOURS: Final = {
    "asyncpg/": "#7aa6c2",
    "domain/": "#8fbf8f",
    "graphql/": "#e0a458",
    "strawberry/": "#d98c5f",
    "schema/": "#e6c86e",
    "api/": "#c9a0c9",
    "redis/": "#b07d7d",
}


@dataclass(slots=True)
class _Frame:
    name: str
    number: int = 0
    inner: dict[str, _Frame] = field(default_factory=dict)


def flame_graph(stacks: Mapping[str, int]) -> str:
    """An SVG of stacks, each its frames joined by `;`, the outermost first, at the top."""
    root = _Frame("all")
    for stack, number in stacks.items():
        at = root
        at.number += number
        for name in stack.split(";"):
            at = at.inner.setdefault(name, _Frame(name))
            at.number += number
    root = _unwrapped(root)
    scale = _WIDTH / max(root.number, 1)
    boxes = list(_boxes(root, left=0.0, depth=0, scale=scale))
    height = (1 + max((depth for _, _, depth in boxes), default=0)) * _HEIGHT
    lines = [
        _box(frame, left, depth, scale=scale, whole=root.number) for frame, left, depth in boxes
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" '
        'font-family="monospace" font-size="10">'
    )
    return "\n".join([head, *lines, "</svg>"]) + "\n"


def _unwrapped(root: _Frame) -> _Frame:
    """Without the outermost frames that all stacks share: how the server was started."""
    while len(root.inner) == 1:
        [root] = root.inner.values()
    return root


def _boxes(
    frame: _Frame, *, left: float, depth: int, scale: float
) -> Iterator[tuple[_Frame, float, int]]:
    if frame.number * scale < _LEAST * _WIDTH:
        return
    yield frame, left, depth
    for one in sorted(frame.inner.values(), key=lambda inner: inner.name):
        yield from _boxes(one, left=left, depth=depth + 1, scale=scale)
        left += one.number * scale


def _box(frame: _Frame, left: float, depth: int, *, scale: float, whole: int) -> str:
    width, top = frame.number * scale, depth * _HEIGHT
    fill = next((one for name, one in _COLOURS.items() if frame.name.startswith(name)), "#d0d0d0")
    shown = frame.name.rpartition("/")[2][: int(width / _CHARACTER)]
    title = f"{frame.name}: {frame.number / max(whole, 1):.1%}"
    return (
        f'<g><title>{escape(title)}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{_HEIGHT - 1}" fill={quoteattr(fill)}/>'
        f'<text x="{left + 2:.1f}" y="{top + 11}">{escape(shown)}</text></g>'
    )
