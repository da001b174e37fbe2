"""One data set in a database: imported up to the split, trained, served, judged, and grown."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from domain import recommendations, storage
from domain.ledger import Never
from domain.members import SetConsent
from domain.purchases import EarningRule, publish_rule
from domain.recommendations import (
    PERSONALIZATION,
    Method,
    ReasonKind,
    Recommendations,
    Shelf,
    Surface,
    recommended,
)
from domain.recommendations.quality import PLACES, Outcome, Quality, QualityCount

ROOT: Final = Path(__file__).parents[2]
POPULAR: Final = 200
"""So many popular products are kept ready; what a member has is left out of them."""

_LIFETIME: Final = EarningRule(code="lifetime", version=1, permille_per_yuan=1_000, expiry=Never())
"""The files are years old: points that expire would be another benchmark."""

_WORDS: Final = {
    "purpose": PERSONALIZATION,
    "version": "1",
    "title_zh": "个性化推荐",
    "title_en": "Personal recommendations",
    "body_zh": "用我的购买记录为我推荐商品。",
    "body_en": "Recommend products to me by what I bought.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """What a file says by itself: who had which products by the split, and who bought what later.

    Members are named by their references in the file.
    """

    before: Mapping[str, Collection[str]]
    later: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of one method on one data set.

    `known` is the quality where only products count that had been sold by the split: no purchase
    tells anything of the others. Of so many `compared` rows of the model and of lists, `leaked`
    differed once the purchases after the split were there. `train_s` is of the whole command.
    """

    data: str
    method: Method
    members: int
    products: int
    quality: Quality
    known: Quality
    train_s: float
    compared: int = 0
    leaked: int | None = None


async def command(url: str, *arguments: str | Path, **environment: str) -> str:
    """Run a command of the gateway to its end, as an operator does; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "api.cli", *map(str, arguments)),
        env={**os.environ, **environment, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {output.decode()}")
    return output.decode()


async def import_purchases(url: str, file: Path, preset: str, folder: Path) -> None:
    """Import a file of purchases, or what it has gained."""
    options = ("--preset", preset, "--rule", _LIFETIME.code, "--time-zone", "UTC")
    await command(url, "import-purchases", file, *options, "--rejects", folder / "rejects.csv")


async def train(url: str, method: Method, *, as_of: datetime) -> None:
    """Train a version on what happened up to the moment, and let it serve."""
    moment = as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    await command(
        url,
        *("recommendations", "train", "--method", method.value, "--as-of", moment),
        JIFEN_RECOMMENDATIONS__HOLD_OUT_DAYS="0",
    )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[None]:
    """This process connected as a command is."""
    await storage.connect(url, pool=storage.UNHURRIED)
    try:
        yield
    finally:
        await storage.close()


async def prepare(url: str, folder: Path, *, now: datetime) -> None:
    """The rule that purchases earn by, and the words that members agree to."""
    async with connected(url):
        await publish_rule(_LIFETIME, now=now)
    words = folder / "words.json"
    words.write_bytes(orjson.dumps([_WORDS]))
    await command(url, "publish-consents", words)


async def member_ids() -> dict[str, UUID]:
    """All members by their references."""
    rows = await storage.fetch_all(
        "SELECT subject, member_id FROM member_identity WHERE kind = 'external'"
    )
    return {row["subject"]: row["member_id"] for row in rows}


async def agree(ids: Iterable[UUID], *, now: datetime) -> None:
    """Let these members agree to personal recommendations, by the use case of the gateway."""
    for member_id in ids:
        consent = SetConsent(
            member_id=member_id, purpose=PERSONALIZATION, granted=True, version="1"
        )
        await recommendations.set_consent(consent, now=now)


async def shown(
    member_id: UUID, shelf: Shelf | None, *, first: int, now: datetime
) -> Recommendations:
    """A shelf of a member as the gateway serves it."""
    return await recommended(member_id, surface=Surface.HOME, shelf=shelf, first=first, now=now)


async def judge(
    purchases: Purchases,
    *,
    popular: Sequence[str],
    split_at: datetime,
    until: datetime,
    products: int,
) -> tuple[Quality, Quality]:
    """What the members of a file are served, beside what they bought later.

    By all that they bought, and by what of it had been sold by the split. `popular` is what those
    who do not agree are served.
    """
    ids = await member_ids()
    sold = {code for history in purchases.before.values() for code in history}
    counts = [QualityCount(offered=products, popular=popular) for _ in range(2)]
    for reference, later in purchases.later.items():
        if reference not in purchases.before:
            continue
        again = await shown(ids[reference], Shelf.BUY_AGAIN, first=40, now=split_at)
        discover = await shown(ids[reference], Shelf.DISCOVER, first=40, now=split_at)
        assert again.personalized, reference
        assert discover.personalized, reference
        for counting, bought in zip(counts, (set(later), set(later) & sold), strict=True):
            counting.add(
                Outcome(
                    history=purchases.before[reference],
                    later=bought,
                    again=codes(again),
                    discover=codes(discover),
                    explained=_explained(discover),
                )
            )
    whole, known = (one.result(split_at=split_at, until=until) for one in counts)
    return whole, known


async def stored() -> dict[tuple[str, ...], Any]:
    """The model that serves and everybody's lists of it, row by row."""
    version = (await recommendations.recommendation_models(first=1))[0].version
    items = await storage.fetch_all(
        "SELECT product_code, popularity, theme_code, theme_share, neighbors"
        " FROM recommendation_item WHERE version = $1",
        version,
    )
    lists = await storage.fetch_all(
        "SELECT member_id, list, items FROM recommendation_list WHERE version = $1", version
    )
    found: dict[tuple[str, ...], Any] = {
        ("item", row["product_code"]): tuple(row.values()) for row in map(dict, items)
    }
    return found | {("list", str(row["member_id"]), row["list"]): row["items"] for row in lists}


def differing(one: Mapping[tuple[str, ...], Any], other: Mapping[tuple[str, ...], Any]) -> int:
    """How many rows are not the same in both."""
    missing = object()
    return sum(one.get(key, missing) != other.get(key, missing) for key in one.keys() | other)


def histories(
    lines: Iterable[tuple[str, str, Any]], *, split_at: Any, without: Collection[str] = ()
) -> Purchases:
    """Lines of member, product and moment, by members, before the split and after it."""
    before: dict[str, set[str]] = {}
    later: dict[str, set[str]] = {}
    for reference, code, placed_at in lines:
        if reference not in without:
            side = before if placed_at < split_at else later
            side.setdefault(reference, set()).add(code)
    return Purchases(before=before, later=later)


def codes(found: Recommendations) -> Sequence[str]:
    """The products that are shown, best first."""
    return [item.product.code for item in found.items]


def _explained(found: Recommendations) -> int:
    return sum(
        any(reason.kind is ReasonKind.BOUGHT for reason in item.reasons)
        for item in found.items[:PLACES]
    )
