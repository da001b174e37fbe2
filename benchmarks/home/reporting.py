"""What was measured, as a terminal, a page of Markdown and a picture show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

from rich.table import Table

from benchmarks.home.rounds import Record
from benchmarks.printing import console

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True, slots=True)
class Goal:
    """The least ratio of one server's rate to a peer's."""

    ours: str
    peer: str
    least: float


@dataclass(frozen=True, slots=True)
class Race:
    """A table of rates: `base` is the server to which all others are compared."""

    title: str
    conditions: str
    base: str
    records: Sequence[Record]
    goals: Sequence[Goal]

    def record(self, name: str) -> Record | None:
        """What a server did; None where it did not run."""
        return next((one for one in self.records if one.name == name), None)

    def heading(self) -> list[str]:
        """The columns."""
        return ["", "1/s", "least", "median", "most", "p50 ms", "p99 ms", "CPU ms", "DB ms"]

    def rows(self) -> list[list[str]]:
        """A line for each server, the fastest first: rate, ratios to the base, times."""
        base = self.record(self.base)
        assert base is not None, "the base always runs"
        return [
            [
                one.name,
                f"{one.rate:,.0f}",
                *_spread(one.ratios(base)),
                *(f"{value:.1f}" for value in (one.p50_ms, one.p99_ms)),
                *(f"{value:.2f}" for value in (one.own_ms, one.database_ms)),
            ]
            for one in sorted(self.records, key=lambda record: -record.rate)
        ]

    def verdicts(self) -> list[list[str]]:
        """A line for each goal whose peer has run."""
        lines = []
        for goal in self.goals:
            ours, peer = self.record(goal.ours), self.record(goal.peer)
            if ours is None or peer is None:
                continue
            ratios = ours.ratios(peer)
            reached = "reached" if median(ratios) >= goal.least else "**missed**"
            what = f"{goal.ours} / {goal.peer}"
            lines.append([what, *_spread(ratios), f"{goal.least:.2f}", reached])
        return lines


_VERDICTS = ["goal 1", "least", "median", "most", "goal", ""]


def _spread(ratios: Sequence[float]) -> list[str]:
    return [f"{value:.2f}" for value in (ratios[0], median(ratios), ratios[-1])]


def print_race(race: Race) -> None:
    """Both tables, on the terminal."""
    console.print(f"{race.conditions}\n")
    _print(f"{race.title}: ratios to {race.base}", race.heading(), race.rows())
    _print("", _VERDICTS, race.verdicts())


def _print(title: str, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title or None, title_justify="left")
    for place, name in enumerate(heading):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*(one.replace("**", "") for one in row))
    console.print(table)


def write_race(race: Race, name: str, *, folder: Path = RESULTS) -> list[Path]:
    """Write both tables as NAME.md and the ratios as NAME.svg; returns the files."""
    folder.mkdir(exist_ok=True)
    page, picture = folder / f"{name}.md", folder / f"{name}.svg"
    picture.write_text(chart(race), "utf-8")
    parts = [
        f"# {race.title}",
        race.conditions,
        f"![Ratios to {race.base}]({name}.svg)",
        f"Ratios are to {race.base}, round by round.",
        markdown(race.heading(), race.rows()),
        markdown(_VERDICTS, race.verdicts()),
    ]
    page.write_text("\n\n".join(parts) + "\n", "utf-8")
    return [page, picture]


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    rule = ["---", *["--:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(one)} |" for one in [heading, rule, *rows])


_LEFT, _WIDTH, _BAR, _GAP, _TOP = 170, 720, 22, 14, 40
_INK, _FILL, _OURS = "#24292f", "#9aa5b1", "#c2553d"


def chart(race: Race) -> str:
    """A bar for each server: the median ratio, with a line from the least to the most."""
    base = race.record(race.base)
    assert base is not None, "the base always runs"
    found = sorted(race.records, key=lambda record: -record.rate)
    most = max(one.ratios(base)[-1] for one in found)
    scale = (_WIDTH - _LEFT - 70) / most
    ours = {goal.ours for goal in race.goals}
    height = _TOP + len(found) * (_BAR + _GAP) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="sans-serif" font-size="13" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15">{escape(race.title)}: rate for one of '
        f"{escape(race.base)}</text>",
    ]
    for place, one in enumerate(found):
        top = _TOP + place * (_BAR + _GAP)
        middle, baseline = top + _BAR / 2, top + 16
        ratios = one.ratios(base)
        least, typical, largest = (
            _LEFT + value * scale for value in (ratios[0], median(ratios), ratios[-1])
        )
        fill = _OURS if one.name in ours else _FILL
        lines += [
            f'<text x="{_LEFT - 8}" y="{baseline}" text-anchor="end">{escape(one.name)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{typical - _LEFT:.1f}" height="{_BAR}" '
            f'fill="{fill}"/>',
            f'<path d="M{least:.1f} {middle}H{largest:.1f}" stroke="{_INK}" stroke-width="2"/>',
            f'<text x="{largest + 8:.1f}" y="{baseline}">{median(ratios):.2f}</text>',
        ]
    at_one = _LEFT + scale
    lines += [
        f'<path d="M{at_one:.1f} {_TOP - 6}V{height - 16}" stroke="{_INK}" '
        'stroke-dasharray="4 3"/>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
