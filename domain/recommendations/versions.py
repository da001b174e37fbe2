"""Versions of the trained model: who trains, which one serves, and what is left of those before.

One row says that somebody trains, with a lease that is renewed: whoever is killed is taken over
when it ends. One row is active; another one takes its place in one short transaction, so readers
have the one or the other, whole. The one before is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson

from domain.outbox import Event, announce
from domain.recommendations.scoring import ItemFacts, Method, ScoringSettings
from domain.storage import Row, Table, execute, fetch_all, fetch_one, transaction

LEASE: Final = timedelta(seconds=60)
"""So long after its last sign of life a training counts as dead."""

ITEMS_AT_ONCE: Final = 500
MEMBERS_AT_ONCE: Final = 500
"""What one statement writes, reads or deletes."""

_FIRST: Final = UUID(int=0)

_ITEMS: Final = Table(
    "recommendation_item",
    version="bigint",
    product_code="text",
    popularity="double precision",
    theme_code="text",
    theme_share="double precision",
    neighbors="jsonb",
)
_COLUMNS: Final = (
    "version, status, method, as_of, started_at, renewed_at, finished_at, settings, figures"
)


class ModelStatus(StrEnum):
    """What became of a version."""

    TRAINING = "TRAINING"
    ACTIVE = "ACTIVE"
    KEPT = "KEPT"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationModel:
    """One version. It knows nothing that happened after `as_of`.

    `figures` is what its training told of itself, empty before its end.
    """

    version: int
    status: ModelStatus
    method: Method
    as_of: datetime
    started_at: datetime
    renewed_at: datetime
    finished_at: datetime | None
    settings: ScoringSettings
    figures: Mapping[str, Any]


class TrainingUnderWay(Exception):
    """Raised where somebody else trains at the moment: `version`, since `started_at`."""

    def __init__(self, *, version: int, started_at: datetime) -> None:
        super().__init__(f"version {version} is being trained since {started_at:%H:%M:%S} UTC")
        self.version, self.started_at = version, started_at


class TrainingLost(Exception):
    """Raised where a training gave no sign of life for so long that it counts as dead."""


async def begin_training(settings: ScoringSettings, *, as_of: datetime, now: datetime) -> int:
    """Take the place of the one who trains; returns the version. Raises TrainingUnderWay.

    Versions only grow, those of failed trainings included: what a dead one still writes is nobody
    else's.
    """

    async def work() -> int:
        row = await fetch_one(
            "SELECT version, started_at, renewed_at FROM recommendation_model"
            " WHERE status = 'TRAINING' FOR UPDATE"
        )
        if row is not None and now < row["renewed_at"] + LEASE:
            raise TrainingUnderWay(version=row["version"], started_at=row["started_at"])
        if row is not None:
            await _end(row["version"], ModelStatus.FAILED, now=now)
        newest = await fetch_one("SELECT MAX(version) AS version FROM recommendation_model")
        assert newest is not None, "a maximum without a group has one row"
        version: int = (newest["version"] or 0) + 1
        await execute(
            "INSERT INTO recommendation_model (version, status, method, as_of, started_at,"
            " renewed_at, settings) VALUES ($1, 'TRAINING', $2, $3, $4, $4, $5)",
            *(version, settings.method.value, as_of, now),
            orjson.dumps(settings.as_facts()).decode(),
        )
        return version

    return await transaction(work)


async def renew_training(version: int, *, now: datetime) -> None:
    """Give a sign of life, also as a part of what is written. Raises TrainingLost.

    Whoever takes over waits for the transaction; afterwards nothing more is written.
    """
    renewed = await execute(
        "UPDATE recommendation_model SET renewed_at = CASE WHEN renewed_at < $2::timestamptz"
        " THEN $2 ELSE renewed_at END WHERE version = $1 AND status = 'TRAINING'",
        *(version, now),
    )
    if not renewed:
        raise TrainingLost(f"version {version} was taken over")


async def fail_training(version: int, *, now: datetime) -> None:
    """Give up the place of the one who trains, where it is still held."""
    await transaction(lambda: _end(version, ModelStatus.FAILED, now=now))


async def activate(version: int, *, figures: Mapping[str, Any], now: datetime) -> None:
    """Let this version serve from here on, and keep the one before. Raises TrainingLost.

    A fixed number of statements, whatever the number of members: what is served stands already.
    """

    async def work() -> None:
        await execute(
            "UPDATE recommendation_model SET status = 'KEPT' WHERE status = 'ACTIVE'"
            " AND EXISTS (SELECT 1 FROM recommendation_model AS own"
            " WHERE own.version = $1 AND own.status = 'TRAINING')",
            version,
        )
        text = orjson.dumps(figures).decode()
        if not await _end(version, ModelStatus.ACTIVE, now=now, figures=text):
            raise TrainingLost(f"version {version} was taken over")
        # Shelves are other than before for everybody: no answer that was kept is right any more.
        trained = Event(kind="RecommendationsTrained", member_id=None, facts={"version": version})
        await announce([trained], now=now)

    await transaction(work)


async def add_figures(version: int, figures: Mapping[str, Any]) -> None:
    """Let these be the figures of a version that serves, or did: what was found out afterwards."""
    await execute(
        "UPDATE recommendation_model SET figures = $2::jsonb WHERE version = $1",
        *(version, orjson.dumps(figures).decode()),
    )


async def recommendation_models(*, first: int) -> Sequence[RecommendationModel]:
    """The newest versions, newest first. One statement."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM recommendation_model ORDER BY version DESC LIMIT $1", first
    )
    return [_model_of(row) for row in rows]


async def active_model() -> RecommendationModel | None:
    """The version that serves, None before the first training."""
    row = await fetch_one(f"SELECT {_COLUMNS} FROM recommendation_model WHERE status = 'ACTIVE'")
    return None if row is None else _model_of(row)


async def write_items(version: int, items: Iterable[ItemFacts], *, now: datetime) -> None:
    """Write some rows of the model, ITEMS_AT_ONCE at most. Raises TrainingLost."""
    rows = [
        {
            "version": version,
            "product_code": item.product_code,
            "popularity": item.popularity,
            "theme_code": item.theme_code,
            "theme_share": item.theme_share,
            "neighbors": orjson.dumps([list(pair) for pair in item.neighbors]).decode(),
        }
        for item in items
    ]

    async def work() -> None:
        await renew_training(version, now=now)
        await _ITEMS.insert(rows)

    await transaction(work)


async def read_items(version: int) -> list[ItemFacts]:
    """All rows of a model, read in pages: as many as products, whatever the number of members."""
    found: list[ItemFacts] = []
    after = ""
    while True:
        rows = await fetch_all(
            "SELECT product_code, popularity, theme_code, theme_share, neighbors"
            " FROM recommendation_item WHERE version = $1 AND product_code > $2"
            " ORDER BY product_code LIMIT $3",
            *(version, after, ITEMS_AT_ONCE),
        )
        found += [item_of(row) for row in rows]
        if len(rows) < ITEMS_AT_ONCE:
            return found
        after = rows[-1]["product_code"]


def item_of(row: Row) -> ItemFacts:
    """A row of the model, from its columns."""
    return ItemFacts(
        product_code=row["product_code"],
        popularity=row["popularity"],
        theme_code=row["theme_code"],
        theme_share=row["theme_share"],
        neighbors=[(code, weight) for code, weight in orjson.loads(row["neighbors"])],
    )


async def clear_versions() -> int:
    """Delete what is left of versions that serve no more, but the newest that did; returns rows.

    Rows go in batches by the key. Of a failed training its own row stays until a later version
    serves, so that no version is given twice.
    """
    rows = await fetch_all(_OVER)
    over = [row["version"] for row in rows]
    if not over:
        return 0
    deleted = await _clear_lists(over) + await _clear_items(over)
    await execute(
        "DELETE FROM recommendation_model WHERE version = ANY($1::bigint[]) AND version <"
        " (SELECT MAX(o.version) FROM recommendation_model AS o WHERE o.status = 'ACTIVE')",
        over,
    )
    return deleted


_OVER: Final = """
    SELECT version FROM recommendation_model AS m
    WHERE status = 'FAILED' OR (status = 'KEPT' AND version <
        (SELECT MAX(k.version) FROM recommendation_model AS k WHERE k.status = 'KEPT'))
    ORDER BY version
"""


async def _clear_lists(versions: Sequence[int]) -> int:
    deleted, after = 0, _FIRST
    while True:
        rows = await fetch_all(
            "SELECT DISTINCT member_id FROM recommendation_list WHERE member_id > $1"
            " ORDER BY member_id LIMIT $2",
            *(after, MEMBERS_AT_ONCE),
        )
        if not rows:
            return deleted
        deleted += await execute(
            "DELETE FROM recommendation_list"
            " WHERE member_id = ANY($1::uuid[]) AND version = ANY($2::bigint[])",
            *([row["member_id"] for row in rows], list(versions)),
        )
        after = rows[-1]["member_id"]


async def _clear_items(versions: Sequence[int]) -> int:
    deleted = 0
    for version in versions:
        while True:
            rows = await fetch_all(
                "SELECT product_code FROM recommendation_item WHERE version = $1 LIMIT $2",
                *(version, ITEMS_AT_ONCE),
            )
            if not rows:
                break
            deleted += await execute(
                "DELETE FROM recommendation_item"
                " WHERE version = $1 AND product_code = ANY($2::text[])",
                *(version, [row["product_code"] for row in rows]),
            )
    return deleted


async def _end(
    version: int, status: ModelStatus, *, now: datetime, figures: str | None = None
) -> int:
    return await execute(
        "UPDATE recommendation_model SET status = $2, finished_at = $3, figures = $4::jsonb"
        " WHERE version = $1 AND status = 'TRAINING'",
        *(version, status.value, now, figures),
    )


def _model_of(row: Row) -> RecommendationModel:
    return RecommendationModel(
        version=row["version"],
        status=ModelStatus(row["status"]),
        method=Method(row["method"]),
        as_of=row["as_of"],
        started_at=row["started_at"],
        renewed_at=row["renewed_at"],
        finished_at=row["finished_at"],
        settings=ScoringSettings.from_facts(orjson.loads(row["settings"])),
        figures=orjson.loads(row["figures"]) if row["figures"] else {},
    )
