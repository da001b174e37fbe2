"""What is done with a data set, whichever it is: imported, trained on, served, judged, and grown.

The database gets what was bought up to the split, as a shop's would have had it on that day. Once
everything is judged it gets the rest, and is trained anew as of the split: nothing may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeAlias
from uuid import UUID

from benchmarks.printing import console
from benchmarks.recommendations import judging
from benchmarks.recommendations.judging import POPULAR, Figures, Purchases
from domain import recommendations
from domain.recommendations import Method

METHODS: Final = (Method.ITEM_ITEM, Method.EASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The files of a data set, cleaned, and what they say by themselves.

    `early` is the file of purchases cut off at the split. `products` is how many `catalogue` has.
    """

    name: str
    preset: str
    catalogue: Path
    products: int
    early: Path
    whole: Path
    purchases: Purchases
    split_at: datetime
    until: datetime


Beside: TypeAlias = Callable[[Mapping[str, UUID], Sequence[str]], Coroutine[Any, Any, None]]
"""Looks at something else once a method is trained: members by their references, and what those
who do not agree are served."""


async def evaluate(
    url: str,
    data: DataSet,
    folder: Path,
    *,
    apart: Collection[str] = (),
    newcomers: Path | None = None,
    beside: Beside | None = None,
) -> list[Figures]:
    """Both methods. All agree but those `apart` and one more, who is served what is popular.

    `newcomers` is a file of members who have bought nothing yet.
    """
    now = datetime.now(UTC)
    await judging.prepare(url, folder, now=now)
    began = perf_counter()
    await judging.command(url, "import-products", data.catalogue, "--preset", data.preset)
    await judging.import_purchases(url, data.early, data.preset, folder)
    if newcomers is not None:
        await judging.command(url, "import-members", newcomers, "--rejects", folder / "r.csv")
    console.print(f"{data.name}: imported up to the split in {perf_counter() - began:.0f} s")
    async with judging.connected(url):
        ids = await judging.member_ids()
        stranger = min(data.purchases.before.keys() - data.purchases.later.keys())
        await judging.agree((ids[one] for one in sorted({*ids} - {*apart, stranger})), now=now)
        await recommendations.refresh_popularity(now=now)
    found: list[Figures] = []
    kept = {}
    for method in METHODS:
        began = perf_counter()
        await judging.train(url, method, as_of=data.split_at)
        took_s = perf_counter() - began
        async with judging.connected(url):
            plain = await judging.shown(ids[stranger], None, first=POPULAR, now=now)
            assert not plain.personalized
            popular = judging.codes(plain)
            quality, known = await judging.judge(
                data.purchases,
                popular=popular,
                split_at=data.split_at,
                until=data.until,
                products=data.products,
            )
            kept[method] = await judging.stored()
            if beside is not None:
                await beside(ids, popular)
        figures = Figures(
            data=data.name,
            method=method,
            members=len(ids),
            products=data.products,
            quality=quality,
            known=known,
            train_s=took_s,
        )
        found.append(figures)
    await judging.import_purchases(url, data.whole, data.preset, folder)
    for number, method in enumerate(METHODS):
        await judging.train(url, method, as_of=data.split_at)
        async with judging.connected(url):
            now_kept = await judging.stored()
        # Whoever agreed since has lists now; that is no leak.
        agreed = {key[1] for key in kept[method] if key[0] == "list"}
        then = {key: row for key, row in now_kept.items() if key[0] == "item" or key[1] in agreed}
        leaked = judging.differing(kept[method], then)
        found[number] = replace(found[number], leaked=leaked, compared=len(kept[method]))
    return found
