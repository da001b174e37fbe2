"""Computing the lists of some members, as they are kept: in a thread, without the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from domain.recommendations.lists import Shelves, inferred_themes
from domain.recommendations.scoring import Taste

if TYPE_CHECKING:
    from domain.recommendations.scoring.engine import Scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A model made ready, and the theme of each product of the catalogue."""

    scorer: Scorer
    themes: Mapping[str, str | None]


def compute(ready: Ready, member_ids: Sequence[UUID], signals: Sequence[Taste]) -> list[Shelves]:
    """The lists of these members, as text: as objects they would be ten times as large."""
    settings = ready.scorer.model.settings
    computed = ready.scorer.lists(signals) if signals else []
    return [
        Shelves(
            member_id=member_id,
            lists={kind: orjson.dumps(rows).decode() for kind, rows in lists.items() if rows},
            inferred=inferred_themes(taste, settings=settings, themes=ready.themes),
        )
        for member_id, taste, lists in zip(member_ids, signals, computed, strict=True)
    ]
