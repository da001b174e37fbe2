"""Complete Journey: a grocer's households of a year, its departments as themes.

One household of eight is kept apart: none of its purchases is imported. It declares the two
departments that most of its first basket is of, as a new member would, and is judged by its other
baskets. Half of them agree before the training, which gives them lists; the others agree after it
and are served from what is popular.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from benchmarks.recommendations import judging
from benchmarks.recommendations.evaluating import DataSet, evaluate
from benchmarks.recommendations.judging import Figures, histories
from domain.recommendations import Shelf
from domain.recommendations.quality import PLACES, recall

SPLIT_AT: Final = datetime(2017, 10, 1, tzinfo=UTC)
UNTIL: Final = datetime(2018, 1, 2, tzinfo=UTC)
APART: Final = 8
DECLARED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """Members with themes only: `listed` by a training, or served from what is popular.

    Of their first ten, `in_themes` is the share of their own themes, `labelled` the share whose
    reasons name one of them. `popular` is the recall of what everybody is shown.
    """

    listed: bool
    members: int
    in_themes: float
    labelled: float
    recall: float
    popular: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A household of which nothing is known but the themes; `later` is what it then bought."""

    themes: frozenset[str]
    later: frozenset[str]


async def evaluate_complete_journey(
    url: str, data: Path, folder: Path
) -> tuple[list[Figures], list[ColdStart]]:
    """Both methods, and what households that only declared themes are served."""
    journey, newcomers = cleaned(data, folder)
    listed = sorted(newcomers)[::2]
    unlisted = sorted(newcomers.keys() - {*listed})
    cold: list[ColdStart] = []

    async def look(ids: Mapping[str, UUID], popular: Sequence[str]) -> None:
        if cold:
            return
        await judging.agree((ids[one] for one in unlisted), now=datetime.now(UTC))
        for names in (listed, unlisted):
            some = {ids[one]: newcomers[one] for one in names}
            cold.append(await _judged(some, popular=popular, listed=names is listed))

    file = folder / "members.csv"
    _write_members(file, newcomers)
    figures = await evaluate(url, journey, folder, apart=unlisted, newcomers=file, beside=look)
    return figures, cold


async def _judged(
    newcomers: Mapping[UUID, Newcomer], *, popular: Sequence[str], listed: bool
) -> ColdStart:
    places = in_themes = labelled = 0
    recalls = plain = 0.0
    for member_id, one in newcomers.items():
        found = await judging.shown(member_id, Shelf.DISCOVER, first=PLACES, now=datetime.now(UTC))
        assert found.personalized
        for item in found.items:
            theme = item.product.theme
            places += 1
            in_themes += theme is not None and theme.code in one.themes
            labelled += any(
                reason.theme is not None and reason.theme.code in one.themes
                for reason in item.reasons
            )
        recalls += recall(judging.codes(found), one.later)
        plain += recall(popular, one.later)
    return ColdStart(
        listed=listed,
        members=len(newcomers),
        in_themes=in_themes / places,
        labelled=labelled / places,
        recall=recalls / len(newcomers),
        popular=plain / len(newcomers),
    )


def cleaned(data: Path, folder: Path) -> tuple[DataSet, dict[str, Newcomer]]:
    """The lines with a quantity, and the households that are kept apart from them."""
    from pyarrow import compute, parquet

    table: Any = parquet.read_table(data / "completejourney_transactions_sample.parquet")
    table = table.filter(compute.greater(table["quantity"], 0))
    products: Any = parquet.read_table(data / "completejourney_products.parquet")
    products = products.filter(compute.is_in(products["product_id"], table["product_id"]))
    parquet.write_table(products, folder / "journey-products.parquet")
    departments = dict(_columns(products, "product_id", "department"))
    newcomers = _newcomers(table, departments)
    apart = compute.is_in(table["household_id"], _texts(list(newcomers)))
    table = table.filter(compute.invert(apart))
    split = SPLIT_AT.replace(tzinfo=None)
    early = table.filter(compute.less(table["transaction_timestamp"], split))
    parquet.write_table(early, folder / "journey-early.parquet")
    parquet.write_table(table, folder / "journey-whole.parquet")
    lines = _columns(table, "household_id", "product_id", "transaction_timestamp")
    journey = DataSet(
        name="Complete Journey",
        preset="complete-journey",
        catalogue=folder / "journey-products.parquet",
        products=len(products),
        early=folder / "journey-early.parquet",
        whole=folder / "journey-whole.parquet",
        purchases=histories(lines, split_at=split),
        split_at=SPLIT_AT,
        until=UNTIL,
    )
    return journey, newcomers


def _newcomers(table: Any, departments: Mapping[str, str | None]) -> dict[str, Newcomer]:
    """Of each eight households one: the departments of its first basket, and all later products."""
    baskets: dict[str, dict[tuple[datetime, str], set[str]]] = {}
    names = ("household_id", "transaction_timestamp", "basket_id", "product_id")
    for household, at, basket, product in _columns(table, *names):
        if int(household) % APART == 0:
            baskets.setdefault(household, {}).setdefault((at, basket), set()).add(product)
    found = {}
    for household, bought in baskets.items():
        first, *others = sorted(bought)
        counted = Counter(departments.get(code) for code in sorted(bought[first]))
        counted.pop(None, None)
        later = {code for one in others for code in bought[one]} - bought[first]
        if counted and later:
            themes = frozenset(str(theme) for theme, _ in counted.most_common(DECLARED))
            found[household] = Newcomer(themes=themes, later=frozenset(later))
    return found


def _write_members(path: Path, newcomers: Mapping[str, Newcomer]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["external_id", "interests"])
        for household, one in newcomers.items():
            writer.writerow([household, ";".join(sorted(one.themes))])


def _columns(table: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _texts(values: list[str]) -> Any:
    import pyarrow

    return pyarrow.array(values, type=pyarrow.large_string())
